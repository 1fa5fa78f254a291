"""Every address of the open door, tried by everybody by every method. An address that nobody thought of fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from analysis.looks import order_look
from analysis.models import DataCut, DesignSimulation
from analysis.plans import freeze_plan
from outcomes.models import ImportedFile, ImportReport, PendingImport
from studies.acting import Program, acting
from studies.arm_revealing import _to_participant
from studies.models import AuditEvent, ClosedAccount, Role
from studies.protocols import load_protocol
from tests import factories
from tests.analysis.signing import signed
from tests.trialsite.busy_site import BusySite

pytestmark = pytest.mark.django_db
BY = Program("test")
METHODS = ("get", "post", "put", "patch", "delete")
# Open to everybody who comes: signing in, what browsers and watchers of the machine ask for, the participants' door.
ANYBODYS = {"favicon.ico", "healthz", "readyz", "admin/login/", "admin/jsi18n/", "api/v1/token/", "api/v1/openapi.json"}


@dataclass(frozen=True)
class Address:
    """A pattern with what was put into it, and whether it names something of Berlin or only of the study."""

    pattern: str
    path: str
    of_berlin: bool = False
    of_study: bool = False


@pytest.fixture
def everything(busy: BusySite, monkeypatch: pytest.MonkeyPatch) -> BusySite:
    """A busy site with a look, a simulated design and an import as well, and a study of other people."""
    for module in ("job_queue", "jobs"):
        monkeypatch.setattr(f"analysis.{module}.push", lambda job_id, side: None)
    signed(freeze_plan(BY, protocol_version=busy.version))
    order_look(BY, study=busy.study, number=1)
    with acting(BY, "set up"):
        DesignSimulation.objects.create(
            study=busy.study, protocol_version=busy.version, plan_version="1.0", plan_sha256="0", scenarios=["small"],
            trials=1, seed=1, code_version="1", ordered_by="test",
        )  # fmt: skip
        file = ImportedFile.objects.create(
            study=busy.study, name="a.csv", sha256="0", bytes=1, mapping_sha256="0", rows=1
        )
        ImportReport.objects.create(imported_file=file, format="redcap", content={})
    PendingImport.objects.create(user=busy.people[Role.DATA_MANAGER], study_code="KALM")
    text = busy.version.source.replace("code: KALM", "code: OTHER", 1)
    elsewhere = load_protocol(BY, text=text, source="other.yaml").study
    for role in Role.values:
        busy.people["stranger"] = factories.person("stranger", elsewhere, role)
    return busy


def every_address(busy: BusySite) -> list[Address]:
    return [_filled(busy, pattern, callback) for pattern, callback in _patterns(get_resolver("trialsite.urls_open"))]


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in resolver.url_patterns:
        here = prefix + str(each.pattern).removeprefix("^").removesuffix("$")
        if isinstance(each, URLResolver):
            yield from _patterns(each, here)
        elif isinstance(each, URLPattern):
            yield here, each.callback


_PART = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


def _filled(busy: BusySite, pattern: str, callback: Any) -> Address:
    berlin = study = False

    def value(found: re.Match[str]) -> str:
        nonlocal berlin, study
        text, of_berlin = _value(busy, pattern, found[1] or found[2], callback)
        berlin |= of_berlin
        study |= not of_berlin
        return text

    path = _PART.sub(value, pattern).replace("\\.", ".").replace("/?", "/")
    return Address(pattern, f"/{path}", berlin, study and not berlin)


def _value(busy: BusySite, pattern: str, name: str, callback: Any) -> tuple[str, bool]:
    """What stands for a part of an address, and whether it is Berlin's; an unknown part is an error."""
    person, study = busy.first, busy.study
    if name == "identifier":
        return person.identifier, True
    if name in ("pk", "object_id"):
        model = _model(pattern, callback)
        row = _row(busy, model)
        return str(row.pk if row else 1), _is_of_berlin(model, row)
    known: dict[str, str] = {
        "code": study.code,
        "number": "1",
        "visit": "BL",
        "slug": "phq9",
        "form": "laboratory",
        "version": "1.0",
        "name": DataCut.objects.filter(study=study)[0].name,
        "file": "manifest.json",
        "token": "no-such-token",
        "app_label": "studies",
        "content_type_id": "1",
        "url": "nowhere",
        "format": "json",
        "key": "phq9",
        "username": "coordinator",
        "membership": str(busy.people["coordinator"].memberships.get().pk),
    }
    return known[name], False


# By a piece of the pattern: whose key stands in it. The first that fits counts.
_MODELS = {
    "/sites/": "site",
    "admin/sites/": "site",
    "/own-forms/": "invitation",
    "/taken/": "response",
    "admin/imports/answers/": "importedfile",
    "admin/alerts/": "safetyalert",
    "admin/qst/devices/": "device",
    "/intercurrent-events/": "intercurrentevent",
    "admin/imports/waiting/": "pendingimport",
    "admin/imports/": "importedfile",
    "admin/design/": "designsimulation",
    "admin/people/": "membership",
}


def _model(pattern: str, callback: Any) -> type[Model]:
    if isinstance(getattr(callback, "model_admin", None), ModelAdmin):
        return callback.model_admin.model
    if hasattr(callback, "cls"):
        view = callback.cls
        serializer = view.serializer_class
        return serializer.Meta.model
    kind = next((kind for part, kind in _MODELS.items() if part in pattern), "")
    assert kind, f"whose key stands in {pattern}? Say so in _MODELS"
    return next(model for model in apps.get_models() if model._meta.model_name == kind)


def _row(busy: BusySite, model: type[Model]) -> Model | None:
    """A row of Berlin's where the model has one, else any."""
    if model is ClosedAccount:
        return None
    rows = model._default_manager.order_by("pk")
    path = _to_participant(model)
    of_first = rows.filter(**{path: busy.first}) if path else rows
    return of_first.first() or rows.first()


def _is_of_berlin(model: type[Model], row: Model | None) -> bool:
    return row is not None and (_to_participant(model) is not None or model._meta.model_name == "participant")


def _ask(browser: Client, address: Address, method: str) -> Any:
    return getattr(browser, method)(address.path, **({} if method == "get" else {"data": {}}))


def _tries(busy: BusySite) -> Iterator[tuple[Address, str]]:
    for address in every_address(busy):
        if (
            "closedaccount" in address.pattern
        ):  # the database ends the transaction of whoever asks (test_all_records.py)
            continue
        # A page knows no other methods; the API does. The bare lists of records take nothing at all
        # (test_all_records.py).
        pages = METHODS[:1] if re.match(r"admin/(studies|outcomes|analysis|auth)/", address.pattern) else METHODS[:2]
        methods = METHODS if address.pattern.startswith("api/") else pages
        yield from ((address, method) for method in methods)


def test_nobody_gets_in_without_signing_in(everything: BusySite):
    browser, seen = Client(), []
    for address, method in _tries(everything):
        if address.pattern in ANYBODYS or address.pattern.startswith("p/"):
            continue
        answer = _ask(browser, address, method)
        inside = answer.status_code == 302 and "/login/" not in answer["Location"] and answer["Location"] != "/admin/"
        if answer.status_code not in (301, 302, 401, 403, 404, 405) or inside:
            seen.append((method, address.pattern, answer.status_code))
    assert seen == []


def test_another_sites_coordinator_meets_nothing_of_berlin_anywhere(everything: BusySite):
    browser, seen = everything.as_("outsider"), []
    first = everything.first
    secrets = re.compile(f"KALM-BER-|{first.allocation.kit_number}|{first.allocation.randomisation_number}")
    for address, method in _tries(everything):
        answer = _ask(browser, address, method)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        told = secrets.search(body.decode(errors="replace"))
        opened = address.of_berlin and method == "get" and answer.status_code not in (302, 404, 405)
        if opened or (told and answer.status_code < 400):
            seen.append((method, address.pattern, answer.status_code, told and told[0]))
    assert seen == []


def test_who_works_in_another_study_meets_nothing_of_this_one_in_whatever_role(everything: BusySite):
    browser, seen = everything.as_("stranger"), []
    before = AuditEvent.objects.count()
    for address, method in _tries(everything):
        answer = _ask(browser, address, method)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        told = b"KALM-" in body and answer.status_code < 400
        named = address.of_berlin or address.of_study
        opened = named and answer.status_code == 200 and not address.pattern.startswith("admin/studies/")
        if told or opened:
            seen.append((method, address.pattern, answer.status_code, told))
    assert seen == []
    assert AuditEvent.objects.count() == before


def test_who_only_reads_writes_no_record_and_who_administers_sees_nobody(everything: BusySite):
    auditor, administrator, seen = everything.as_(Role.AUDITOR), everything.as_(Role.ADMINISTRATOR), []
    for address, method in _tries(everything):
        before = AuditEvent.objects.latest("pk")
        answer = _ask(administrator if method == "get" else auditor, address, method)
        told = method == "get" and not answer.streaming and b"KALM-BER-" in answer.content and answer.status_code < 400
        if told or AuditEvent.objects.latest("pk") != before:
            seen.append((method, address.pattern, answer.status_code))
    assert seen == []
