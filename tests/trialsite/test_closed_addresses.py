"""Every address of the closed door, asked by every role: each opens to those it is for and to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies.models import ClosedAccount, Study
from tests.trialsite.closed_door import ClosedDoor
from trialsite import urls_closed

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = frozenset(ClosedAccount.Role.values)
ARMS = frozenset({"dsmb_member", "dsmb_chair", "unblinded_statistician"})
LOOK, CUT = "looks/<int:number>/", "cuts/<str:cut>/"
MASKED = tuple(f"{LOOK}masked{ending}" for ending in ("/", ".pdf", ".json"))
READ = (
    f"api/v1/{LOOK}result/",
    f"api/v1/{LOOK}report.pdf/",
    f"api/v1/{CUT}files/<str:file>/",
    f"api/v1/{CUT}timeline/",
)
# Every address of the door, by the roles that it opens to; None: to whoever comes.
BY_ROLES: tuple[tuple[frozenset[str] | None, tuple[str, ...]], ...] = (
    (None, ("login/", "logout/", "favicon.ico", "healthz", "readyz")),
    (ROLES, ("", "api/v1/openapi.json")),
    (ARMS, ("looks/", LOOK, f"{LOOK}report.pdf", f"{LOOK}result.json", *MASKED, "cuts/", f"{CUT}<str:file>")),
    # What was recommended; who records it, test_closed_recommendation.py says.
    (ARMS, ("api/v1/looks/", "api/v1/cuts/", *READ, f"{LOOK}recommendation/")),
    (frozenset({"unblinded_statistician"}), ("masking/", f"{LOOK}failures/")),
    (frozenset({"pharmacist"}), ("kits/", "api/v1/kits/")),
    (frozenset({"pharmacist", "unblinded_statistician"}), ("concentrations/", "concentrations/<str:sha256>/")),
)
OPENS = {pattern: roles for roles, patterns in BY_ROLES for pattern in patterns}
# Where nothing is there yet, whoever may look is told so.
REFUSED = {302, 401, 403}


def test_every_address_opens_to_the_roles_that_it_is_for_and_to_nobody_else(
    closed_door: ClosedDoor, study: Study, folders: Path
):
    assert {str(each.pattern) for each in urls_closed.urlpatterns} == OPENS.keys()
    tokens = {role: closed_door.token(closed_door.account(study, role)) for role in ROLES}
    wrong = []
    for role in (*sorted(ROLES), ""):
        if role:
            closed_door.sign_in(role)
        for pattern, roles in OPENS.items():
            path = "/" + pattern.replace("<int:number>", "1").replace("<str:cut>", "KALM-cut-1")
            path = path.replace("<str:file>", "arm.parquet").replace("<str:sha256>", "0" * 64)
            if roles is None or path == "/":
                continue
            answer = closed_door.get(path, headers=tokens.get(role) if "/api/" in path else None)
            # Of what may be asked for by POST only, the refusal comes by POST.
            if answer.status_code == 405:
                answer = closed_door.post(path, {"kit": "K-0"}, headers=tokens.get(role, {}))
            if (answer.status_code in REFUSED) is (role in roles):
                wrong.append((role, pattern, answer.status_code))
        closed_door.client.cookies.clear()
    assert wrong == []
