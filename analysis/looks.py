"""Ordering a look: one number, one cut, one plan; four jobs on two sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.db.models import Max

from analysis import plans
from analysis.cuts import order_cut
from analysis.job_queue import order_job
from analysis.models import DataCut, Job, Look, Plan
from analysis.permissions import may_order_look
from studies.acting import Program, verb
from studies.errors import InvalidEntry, TrialError
from studies.models import Study, User
from studies.permissions import require


class LookTaken(TrialError):
    """A look number or a cut that already belongs to a look."""

    code = "look_taken"


@verb(because="look ordered")
def order_look(
    user: User | Program,
    *,
    study: Study,
    number: int,
    cut: DataCut | None = None,
    unplanned_reason: str = "",
) -> Look:
    """Order a look: its open report, and at the closed side its closed one. Without a cut, one is taken.

    number: of a planned look, 1 to the number of looks in the plan, in order. With `unplanned_reason` the
    look is an unplanned one: it gets the next number after the planned ones, and spends alpha at its own
    information.
    Raises NotAllowed, InvalidEntry, LookTaken, PlanNotSigned.
    """
    require(may_order_look(user, study), f"order a look of {study}")
    # Two people may order at once: the study's row is locked before numbers are compared.
    study = Study.objects.select_for_update().get(pk=study.pk)
    plan = plans.current_plan(study)
    plans.require_signature(plan)
    unplanned_reason = unplanned_reason.strip()
    if unplanned_reason:
        number = _next_unplanned_number(study, plan)
    else:
        _require_next_planned(study, plan, number)
    cut = _require_usable(study, cut) if cut else order_cut(user, study=study)
    look = Look.objects.create(
        study=study,
        number=number,
        plan=plan,
        cut=cut,
        planned=not unplanned_reason,
        unplanned_reason=unplanned_reason,
        ordered_by=user.get_username(),
    )
    _order_jobs(look)
    return look


def planned_looks(plan: Plan) -> list[Mapping[str, Any]]:
    """The looks that a frozen plan names, first to last; a plan without any has its one final analysis."""
    looks: Mapping[str, Any] | None = orjson.loads(plan.source)["looks"]
    return looks["planned"] if looks else [{"number": 1}]


def _order_jobs(look: Look) -> None:
    by = look.ordered_by
    order_job(Job.Kind.OPEN_REPORT, study=look.study, cut=look.cut, look=look, ordered_by=by)
    order_job(Job.Kind.CLOSED_CUT, study=look.study, cut=look.cut, ordered_by=by)
    order_job(Job.Kind.CLOSED_REPORT, study=look.study, cut=look.cut, look=look, ordered_by=by)


def _require_next_planned(study: Study, plan: Plan, number: int) -> None:
    planned = len(planned_looks(plan))
    if not 1 <= number <= planned:
        raise InvalidEntry(f"Look {number} is not in the plan, which has looks 1 to {planned}.", field="number")
    taken = study.looks.filter(number=number).select_related("cut").first()
    if taken:
        raise LookTaken(
            f"Look {number} was taken on cut {taken.cut}. Another cut for it is an unplanned look: give the "
            "reason, and it spends alpha at its own information.",
            field="number",
        )
    expected = (study.looks.filter(planned=True).aggregate(last=Max("number"))["last"] or 0) + 1
    if number != expected:
        raise InvalidEntry(f"Look {number} cannot be taken before look {expected}.", field="number")


def _next_unplanned_number(study: Study, plan: Plan) -> int:
    last = study.looks.aggregate(last=Max("number"))["last"] or 0
    return max(last, len(planned_looks(plan))) + 1


def _require_usable(study: Study, cut: DataCut) -> DataCut:
    if cut.study_id != study.pk or cut.status == DataCut.Status.FAILED:
        raise InvalidEntry(f"Cut {cut} is not a cut of {study} that can be analysed.", field="cut")
    used = cut.looks.first()
    if used:
        raise LookTaken(f"Cut {cut} already belongs to look {used.number}. Order another cut.", field="cut")
    return cut
