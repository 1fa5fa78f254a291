"""Files of other systems: brought, looked at as a difference, taken or put away; and what each import did."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange.definitions import read_definitions
from outcomes.interchange.exporting import export_odm
from outcomes.interchange.instrument_drafts import Draft, as_yaml, drafts
from outcomes.interchange.planning import plan, refuse_unreadable
from outcomes.interchange.reading import Brought
from outcomes.interchange.redcap_records import Options
from outcomes.interchange.reporting import Report, report_of
from outcomes.interchange.sources import Source
from outcomes.interchange.stored import definitions_in_force, study_element
from outcomes.interchange.taking import may_bring_studies, take
from outcomes.models import ImportReport, PendingFile, PendingImport
from studies.errors import InvalidEntry, NotAllowed, TrialError
from studies.models import Study, User
from studies.permissions import may_manage_data, require, visible_studies
from trialsite.desk import import_answers
from trialsite.desk.import_forms import LARGEST, ROLES, BringForm, TakeForm
from trialsite.desk.page import View, page, refusals, say, show_on, shows_refusals, user_of

SHOWN = 200
LONGEST_WAIT = timedelta(days=7)


@shows_refusals
def imports(request: HttpRequest) -> HttpResponse:
    """Bring a file; see what waits, and what was taken."""
    user = user_of(request)
    require(may_bring_studies(user), "bring data of other systems here")
    form = BringForm(request.POST or None, request.FILES or None, initial={"encoding": "utf-8", "delimiter": ","})
    refused: tuple[Refusal, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("admin:import_difference", _bring(user, form.cleaned_data).pk)
        except ImportRefused as error:
            refused = error.refusals
        except TrialError as error:
            show_on(form, error)
    return page(
        request,
        "imports.html",
        room="data",
        title="Data from elsewhere",
        status=422 if form.errors or refused else 200,
        form=form,
        refused=refused[:SHOWN],
        refused_count=len(refused),
        refused_name=_name_of(form) if refused else "",
        waiting=PendingImport.objects.filter(user=user).order_by("-pk"),
        taken=_reports(user)[:SHOWN],
        largest=LARGEST // 1_000_000,
    )


def _name_of(form: BringForm) -> str:
    return str(form.cleaned_data["file"].name)


def _bring(user: User, given: dict[str, Any]) -> PendingImport:
    """Keep what was brought, after it was read: a file that is refused does not wait."""
    # Names may be in a file: one that nobody decided about does not lie here for ever.
    PendingImport.objects.filter(brought_at__lt=timezone.now() - LONGEST_WAIT).delete()
    study = Study.objects.filter(code=given["study"]).first()
    # Of a study that this person does not see, nothing is told: neither that it is here nor what is in it.
    if study is not None and not may_manage_data(user, study):
        raise InvalidEntry("This code cannot be used. Choose another one.", field="study")
    if study is None and not given["attestation"].strip():
        raise InvalidEntry(
            "The study is new here: say who answers for it that these people consented.", field="attestation"
        )
    sources = {role: _source(given[role]) for role in ROLES if given.get(role)}
    options = {name: given[name] for name in ("encoding", "delimiter", "missing")}
    brought = _brought(sources, options)
    refuse_unreadable(brought, study_code=given["study"])
    plan(brought, study_code=given["study"])
    with transaction.atomic():
        pending = PendingImport.objects.create(
            user=user, study_code=given["study"], attestation=given["attestation"].strip(), options=options
        )
        PendingFile.objects.bulk_create(
            PendingFile(pending=pending, role=role, name=source.name, content=source.content)
            for role, source in sources.items()
        )
    return pending


def _source(file: UploadedFile[Any]) -> Source:
    return Source((file.name or "file")[:200], file.read())


def _brought(sources: dict[str, Source], options: dict[str, Any]) -> Brought:
    return Brought(
        file=sources["file"],
        dictionary=sources.get("dictionary"),
        events=sources.get("events"),
        options=Options(
            options.get("encoding", "utf-8"), options.get("delimiter", ","), dict(options.get("missing") or {})
        ),
    )


def _kept(pending: PendingImport) -> Brought:
    rows = PendingFile.objects.filter(pending=pending)
    return _brought({row.role: Source(row.name, bytes(row.content)) for row in rows}, pending.options)


@shows_refusals
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    """What taking a file would do; take it, or put it away."""
    user = user_of(request)
    pending = get_object_or_404(PendingImport, user=user, pk=pk)
    if "away" in request.POST:
        pending.delete()
        say(request, "The file was not taken. Nothing of it is kept.")
        return redirect("admin:imports")
    brought = _kept(pending)
    try:
        planned = plan(brought, study_code=pending.study_code)
    except ImportRefused as error:
        return _no_longer(request, pending, error)
    form = TakeForm(planned, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _take(request, user, pending, brought, form)
        except NotAllowed:
            raise
        except TrialError as error:
            show_on(form, error)
    report = report_of(planned, changed="", doubtful="", reason="")
    return page(
        request,
        "import_difference.html",
        room="data",
        title=f"What {brought.file.name} would change",
        status=422 if form.errors else 200,
        pending=pending,
        planned=planned,
        form=form,
        **_shown(report),
    )


def _no_longer(request: HttpRequest, pending: PendingImport, error: ImportRefused) -> HttpResponse:
    """The file could be read when it was brought, and its study has changed since."""
    return page(
        request,
        "import_difference.html",
        room="data",
        title="The file cannot be taken any more",
        status=409,
        pending=pending,
        errors=refusals(error),
    )


def _take(request: HttpRequest, user: User, pending: PendingImport, brought: Brought, form: TakeForm) -> HttpResponse:
    with transaction.atomic():
        taken = take(
            user,
            brought=brought,
            study_code=pending.study_code,
            attestation=pending.attestation,
            choices=form.choices,
            reason=form.cleaned_data.get("reason", ""),
            shown=request.POST.get("shown", ""),
        )
        pending.delete()
    what = f"{taken.report.taken} values taken into {taken.study.code}." if taken.new else "It was taken before."
    say(request, f"{brought.file.name}: {what}")
    return redirect("admin:import_report", taken.file.pk)


def _reports(user: User) -> QuerySet[ImportReport]:
    """The reports of the studies whose data a person manages."""
    studies = [study for study in visible_studies(user) if may_manage_data(user, study)]
    rows = ImportReport.objects.filter(imported_file__study__in=studies)
    return rows.select_related("imported_file__study").order_by("-pk")


@shows_refusals
def import_report(request: HttpRequest, pk: int) -> HttpResponse:
    """What an import took, changed and left out."""
    row = get_object_or_404(_reports(user_of(request)), imported_file=pk)
    report = Report.from_json(row.content)
    title = f"Import of {report.name}"
    study = row.imported_file.study
    return page(
        request, "import_report.html", room="data", title=title, row=row, drafts=_drafts(study), **_shown(report)
    )


def _drafts(study: Study) -> list[Draft]:
    """What the forms of a study would be as instruments."""
    stored = definitions_in_force(study)
    element = study_element(stored)
    return drafts(read_definitions(element, stored.version_oid)) if stored and element else []


@shows_refusals
def draft(request: HttpRequest, code: str, key: str) -> HttpResponse:
    """The draft of an instrument file for one form of an imported study: numbers and neutral labels."""
    study = _managed(request, code)
    found = next((each for each in _drafts(study) if each.key == key and each.items), None)
    stored = definitions_in_force(study)
    if found is None or stored is None:
        raise Http404
    text = as_yaml(found, source=stored.imported_file.name, sha256=stored.imported_file.sha256)
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{key}.yaml"'
    return response


def _managed(request: HttpRequest, code: str) -> Study:
    """A study whose data the person manages; others are told nothing of it."""
    study = get_object_or_404(visible_studies(user_of(request)), code=code)
    require(may_manage_data(user_of(request), study), "export the data of this study")
    return study


def _shown(report: Report) -> dict[str, Any]:
    return {
        "report": report,
        "changes": report.changes[:SHOWN],
        "doubts": report.doubts[:SHOWN],
        "remarks": report.remarks[:SHOWN],
        "most": SHOWN,
    }


@shows_refusals
def odm(request: HttpRequest, code: str) -> HttpResponse:
    """What was imported of a study, as ODM 1.3.2, without what says who somebody is."""
    study = _managed(request, code)
    out = io.StringIO()
    now = timezone.now()
    export_odm(study, out, created_at=now.isoformat(timespec="seconds"), identifying=False)
    response = HttpResponse(out.getvalue(), content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{code}-{now:%Y%m%d}-odm.xml"'
    return response


urls: list[tuple[str, View, str]] = [
    ("imports/", imports, "imports"),
    ("imports/waiting/<int:pk>/", difference, "import_difference"),
    ("imports/<int:pk>/", import_report, "import_report"),
    ("imports/studies/<slug:code>/odm/", odm, "import_odm"),
    ("imports/studies/<slug:code>/drafts/<slug:key>/", draft, "import_draft"),
    *import_answers.urls,
]
