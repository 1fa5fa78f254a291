"""Answers of an imported study: which of its forms are which instruments, what that would change, and taking it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import yaml
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from outcomes.interchange.answers_saved import (
    mapping_in,
    plan_stored,
    reported,
    save_mapping,
    saved_mapping,
    take_stored,
)
from outcomes.interchange.definitions import Definitions, Form, read_definitions
from outcomes.interchange.records_mapping import SUBJECT, AnsweredForm, RecordsMapping
from outcomes.interchange.stored import definitions_in_force, study_element
from outcomes.models import AnswersReport
from outcomes.scoring import instrument_keys, load_instrument
from studies.errors import NotAllowed, TrialError
from studies.models import Study, User
from studies.permissions import may_manage_data, require, visible_studies
from trialsite.desk.import_answers_forms import GeneralForm, ItemsForm, TakeAnswersForm, suggested
from trialsite.desk.page import View, page, say, show_on, shows_refusals, user_of

# Pages -------------------------------------------------------------------------------------------------


@shows_refusals
def answers(request: HttpRequest, code: str) -> HttpResponse:
    """Whose the values of an imported study are, and which of its forms are instruments here."""
    user = user_of(request)
    study, definitions = _study(user, code)
    known = mapping_in(saved_mapping(study))
    form = GeneralForm(
        request.POST if request.method == "POST" else None,
        targets=_targets(user, study),
        events=_events(definitions),
        initial=_general(known, definitions),
    )
    if request.method == "POST" and form.is_valid():
        save_mapping(user, study=study, mapping=form.mapping(known))
        say(request, "Saved. It is used for the next file of this study too.")
        return redirect("admin:import_answers", study.code)
    return page(
        request,
        "import_answers.html",
        room="data",
        title=f"Answers of {study.code}",
        status=422 if form.errors else 200,
        study=study,
        form=form,
        known=known.answers,
        forms=_forms(known, definitions),
        reports=_reports(user).filter(mapping__study=study)[:20],
        has_targets=bool(_targets(user, study)),
    )


def _study(user: User, code: str) -> tuple[Study, Definitions]:
    """An imported study whose data the person manages, and what it defines; others are told nothing of it."""
    study = get_object_or_404(visible_studies(user), code=code, origin=Study.Origin.IMPORTED)
    require(may_manage_data(user, study), "say what the values of this study are")
    stored = definitions_in_force(study)
    element = study_element(stored)
    if stored is None or element is None:
        raise Http404
    return study, read_definitions(element, stored.version_oid)


def _targets(user: User, study: Study) -> list[Study]:
    rows = visible_studies(user).exclude(pk=study.pk).filter(protocol_versions__isnull=False).distinct()
    return [row for row in rows.order_by("code") if may_manage_data(user, row)]


def _events(definitions: Definitions) -> dict[str, str]:
    """Events by the name that a mapping has for them, with what people call them."""
    return {oid.removeprefix("Event."): name or oid for oid, name in definitions.events.items()}


def _general(known: RecordsMapping, definitions: Definitions) -> dict[str, Any]:
    """What the form shows before anything is typed."""
    if known.answers is None:
        return {"participant": SUBJECT}
    said = known.answers
    events = {f"event_{n}": said.events.get(event, "") for n, event in enumerate(_events(definitions))}
    return {
        "target": said.study,
        "participant": said.participant,
        "completed_at": said.completed_at,
        "visit": said.visit,
        "missing": "\n".join(f"{code} = {why}" for code, why in known.missing_codes.items()),
        **events,
    }


def _forms(known: RecordsMapping, definitions: Definitions) -> list[dict[str, Any]]:
    """The forms of the file, each with what it is here."""
    mapped = {each.form: each for each in known.answers.forms} if known.answers else {}
    rows = []
    for oid, form in definitions.forms.items():
        each = mapped.get(oid)
        rows.append(
            {
                "oid": oid,
                "name": form.name or oid,
                "fields": len(form.items),
                "mapped": each,
                "instrument": load_instrument(each.instrument) if each else None,
            }
        )
    return rows


@shows_refusals
def answers_form(request: HttpRequest, code: str) -> HttpResponse:
    """One form of the file: which instrument it is, and which field is which item."""
    user = user_of(request)
    study, definitions = _study(user, code)
    form = definitions.forms.get(request.GET.get("form", ""))
    known = mapping_in(saved_mapping(study))
    if form is None or known.answers is None:
        raise Http404
    mapped = next((each for each in known.answers.forms if each.form == form.oid), None)
    if "forget" in request.POST:
        return _save(request, study, known, form)
    key = request.GET.get("instrument") or (mapped.instrument if mapped else "")
    instrument = load_instrument(key) if key in instrument_keys() else None
    items = None
    if instrument is not None:
        same = mapped if mapped and mapped.instrument == key else None
        initial = _entered(same) if same else suggested(form, instrument)
        items = ItemsForm(
            request.POST if request.method == "POST" else None,
            form=form,
            definitions=definitions,
            instrument=instrument,
            initial=initial,
        )
        if request.method == "POST" and items.is_valid():
            return _save(request, study, known, form, items.answered(form.oid))
    return page(
        request,
        "import_answers_form.html",
        room="data",
        title=f"{form.name or form.oid} as an instrument",
        status=422 if items and items.errors else 200,
        study=study,
        file_form=form,
        form=items,
        mapped=mapped,
        instrument=instrument,
        instruments=[load_instrument(each) for each in instrument_keys()],
        is_suggested=bool(items and not items.is_bound and not (mapped and mapped.instrument == key)),
    )


def _entered(mapped: AnsweredForm) -> dict[str, Any]:
    return {
        **{f"item_{item}": name for name, item in mapped.items.items()},
        "completed_on": mapped.completed_on or "",
        "codes": "\n".join(f"{code} = {value:g}" for code, value in mapped.codes.items()),
    }


def _save(
    request: HttpRequest, study: Study, known: RecordsMapping, form: Form, answered: AnsweredForm | None = None
) -> HttpResponse:
    """Keep what a form is; None: it is no instrument here."""
    if known.answers is None:
        raise Http404
    others = [each for each in known.answers.forms if each.form != form.oid]
    given = known.answers.model_copy(update={"forms": (*others, *([answered] if answered else []))})
    save_mapping(user_of(request), study=study, mapping=known.model_copy(update={"answers": given}))
    say(request, f"{form.name or form.oid}: saved." if answered else f"{form.name or form.oid} is no instrument here.")
    return redirect("admin:import_answers", study.code)


@shows_refusals
def answers_difference(request: HttpRequest, code: str) -> HttpResponse:
    """What taking the answers would do; take them."""
    user = user_of(request)
    study, _ = _study(user, code)
    try:
        planned = plan_stored(user, study=study)
    except NotAllowed:
        raise
    except TrialError as error:
        return page(
            request, "refused.html", room="data", title="Nothing to show yet", status=409, message=error.message
        )
    content = reported(planned, changed="", reason="")
    form = TakeAnswersForm(content, request.POST or None)
    if request.method == "POST" and form.is_valid() and not planned.is_nothing:
        try:
            return _take(request, user, study, form)
        except NotAllowed:
            raise
        except TrialError as error:
            show_on(form, error)
    return page(
        request,
        "import_answers_difference.html",
        room="data",
        title=f"What answers of {study.code} would change",
        status=422 if form.errors else 200,
        study=study,
        target=mapping_in(saved_mapping(study)).answers,
        planned=planned,
        form=form,
        **_shown(content),
    )


def _take(request: HttpRequest, user: User, study: Study, form: TakeAnswersForm) -> HttpResponse:
    given = form.cleaned_data
    report = take_stored(
        user,
        study=study,
        changed=cast(Literal["refuse", "correct", "leave"], given.get("changed", "refuse")),
        refused=cast(Literal["refuse", "leave"], given.get("refused", "refuse")),
        reason=given.get("reason", ""),
        shown=request.POST.get("shown", ""),
    )
    taken = report.content["taken"]
    say(request, f"{taken} form{'' if taken == 1 else 's'} taken into {report.target.code}.")
    return redirect("admin:answers_report", report.pk)


def _shown(content: Mapping[str, Any]) -> dict[str, Any]:
    counts = [(load_instrument(key).name, *numbers) for key, *numbers in content["counts"]]
    return {"content": content, "counts": counts}


def _reports(user: User) -> Any:
    studies = [study for study in visible_studies(user) if may_manage_data(user, study)]
    rows = AnswersReport.objects.filter(target__in=studies, mapping__study__in=studies)
    return rows.select_related("mapping__study", "target").order_by("-pk")


@shows_refusals
def answers_report(request: HttpRequest, pk: int) -> HttpResponse:
    """What became answers, what was corrected, and what was left out."""
    row = get_object_or_404(_reports(user_of(request)), pk=pk)
    title = f"Answers of {row.mapping.study.code}, taken into {row.target.code}"
    return page(request, "import_answers_report.html", room="data", title=title, row=row, **_shown(row.content))


@shows_refusals
def answers_mapping(request: HttpRequest, code: str) -> HttpResponse:
    """The saved mapping as a file, for the command line and for another site."""
    study, _ = _study(user_of(request), code)
    saved = saved_mapping(study)
    if saved is None:
        raise Http404
    text = yaml.safe_dump(mapping_in(saved).model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.code}-mapping.yaml"'
    return response


_STUDY = "imports/studies/<slug:code>/answers/"
urls: list[tuple[str, View, str]] = [
    (_STUDY, answers, "import_answers"),
    (_STUDY + "form/", answers_form, "import_answers_form"),
    (_STUDY + "difference/", answers_difference, "import_answers_difference"),
    (_STUDY + "mapping/", answers_mapping, "import_answers_mapping"),
    ("imports/answers/<int:pk>/", answers_report, "answers_report"),
]
