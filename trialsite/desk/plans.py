"""The analysis plan of a study: its versions, what each changed, writing the next one, and signing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode

from analysis import plans as plan_verbs
from analysis.models import Plan
from analysis.permissions import may_freeze_plan, may_sign_plan
from analysis.plan_checking import CheckedPlan, check_plan
from analysis.plan_texts import changed_lines, in_words, plan_file
from studies.errors import TrialError
from studies.models import Draft, ProtocolVersion, Study
from studies.password import require_password
from studies.permissions import require, visible_studies
from studies.protocol.analysis_plan import AnalysisPlan, Model
from studies.protocol.planned_looks import Looks, PlannedLook
from trialsite.desk import drafts
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, page, say, show_on, shows_refusals, user_of

_LONGEST = drafts.LONGEST
_TOO_MANY_CHANGES = 60
_METHODS = {
    "mmrm": "Mixed model for repeated measures",
    "ancova": "Analysis of covariance",
    "difference_of_means": "Difference of means",
    "difference_of_proportions": "Difference of proportions",
}


@shows_refusals
def plans(request: HttpRequest, code: str) -> HttpResponse:
    """All versions, the newest first."""
    study = _study(request, code)
    versions = list(study.plans.order_by("-pk"))
    return page(
        request,
        "plans.html",
        room="study",
        title=f"Analysis plan of {study}",
        study=study,
        versions=[_listed(each, first=index == 0) for index, each in enumerate(versions)],
        may_write=may_freeze_plan(user_of(request), study),
        drafted=drafts.find(user_of(request), _key(study)),
    )


@shows_refusals
def plan(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """One version: what it plans, what it changed, who signed it; signing is posted here."""
    study = _study(request, code)
    found = get_object_or_404(study.plans, version=version)
    form = SignatureForm(request.POST or None) if _awaits(request, found) else None
    if request.method == "POST" and form and form.is_valid():
        try:
            _sign(request, found, form.cleaned_data["password"])
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"Plan {version} is signed. Looks are taken under it from now on.")
            return redirect("admin:analysis_plan", code, version)
    return page(
        request,
        "plan.html",
        room="study",
        title=f"Analysis plan {version} of {study}",
        status=422 if form and form.errors else 200,
        form=form,
        meaning=plan_verbs.SIGNATURE_MEANING,
        **_listed(found, first=not study.plans.filter(pk__gt=found.pk).exists()),
        **_read(found),
    )


@shows_refusals
def new_plan(request: HttpRequest, code: str) -> HttpResponse:
    """Write the next version: checked as often as one likes, frozen once."""
    study = _study(request, code)
    require(may_freeze_plan(user_of(request), study), f"write the analysis plan of {study}")
    if drafts.discarded(request, _key(study)):
        return redirect("admin:analysis_plan_new", code)
    protocol, draft = study.protocol_versions.latest("pk"), drafts.find(user_of(request), _key(study))
    form = PlanForm(study, request, initial=_initial(study, protocol, draft))
    checked = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        _keep(request, study, given)
        checked = check_plan(protocol, given["text"], source=given["name"])
        if "freeze" in request.POST and checked.may_be_frozen and (frozen := _freeze(request, protocol, form)):
            drafts.forget(user_of(request), _key(study))
            say(request, f"Plan {frozen.version} is frozen. A statistician signs it before looks are taken under it.")
            return redirect("admin:analysis_plan", code, frozen.version)
    return page(
        request,
        "plan_new.html",
        room="study",
        title=f"New version of the analysis plan of {study}",
        status=422 if form.errors or (checked and "freeze" in request.POST) else 200,
        study=study,
        form=form,
        current=study.plans.order_by("pk").last(),
        protocol=protocol,
        zone=study.time_zone,
        draft=f"{reverse('admin:draft')}?{urlencode({'form': _key(study)})}",
        drafted=draft if request.method == "GET" else None,
        **_shown(form, checked),
    )


def plan_text(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """The plan as a file: YAML to write the next version from."""
    found = get_object_or_404(_study(request, code).plans, version=version)
    name = f"{code}-plan-{version}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(plan_file(found.source), content_type="application/yaml; charset=utf-8", headers=headers)


class SignatureForm(DeskForm):
    """The password again: who signs is who has signed in."""

    password = forms.CharField(
        label="Your password, entered again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PlanForm(DeskForm):
    """The file, typed or chosen, and why it changes. A chosen file takes the place of what was typed."""

    file = forms.FileField(label="A plan file", required=False, help_text="It takes the place of the text below.")
    text = forms.CharField(
        label="The plan",
        required=False,
        strip=False,
        max_length=_LONGEST,
        widget=forms.Textarea(attrs={"rows": 24, "class": "code", "spellcheck": "false", "wrap": "off"}),
    )
    reason = forms.CharField(
        label="Why the plan changes",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It stands in every report under the new version.",
    )

    def __init__(self, study: Study, request: HttpRequest, **options: Any) -> None:
        posted = request.method == "POST"
        super().__init__(request.POST if posted else None, request.FILES if posted else None, **options)
        if not study.plans.exists():
            del self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        file = given.get("file")
        given["name"] = file.name if file else "the plan"
        if file:
            given["text"] = self._content(file)
        # Line endings of a browser would move no line, but stand in no plan file.
        given["text"] = given.get("text", "").replace("\r\n", "\n")
        if not given["text"].strip() and "text" not in self.errors:
            self.add_error("text", "The plan is empty: choose a file, or type it.")
        return given

    def _content(self, file: Any) -> str:
        if file.size > _LONGEST:
            raise ValidationError({"file": f"{file.name} has {file.size} bytes; a plan has at most {_LONGEST}."})
        try:
            content: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError(
                {"file": f"{file.name} is not text in UTF-8. Save it so and choose it again."}
            ) from None
        return content


def _keep(request: HttpRequest, study: Study, given: dict[str, Any]) -> None:
    """Keep what was checked as the draft, with the text of a chosen file in the place of what was typed."""
    content = {"text": given["text"], "reason": given.get("reason", "")}
    Draft.objects.update_or_create(user=user_of(request), form=_key(study), defaults={"content": content})


def _freeze(request: HttpRequest, protocol: ProtocolVersion, form: PlanForm) -> Plan | None:
    given = form.cleaned_data
    try:
        return plan_verbs.freeze_plan(
            user_of(request),
            protocol_version=protocol,
            text=given["text"],
            source=given["name"],
            reason=given.get("reason", ""),
        )
    except TrialError as error:
        show_on(form, error)
        return None


def _sign(request: HttpRequest, found: Plan, password: str) -> None:
    user = user_of(request)
    require(may_sign_plan(user, found.study), f"sign the analysis plan of {found.study}")
    require_password(request, user, password)
    plan_verbs.sign_plan(user, plan=found, password=password)


def _awaits(request: HttpRequest, found: Plan) -> bool:
    """Whether this person is asked for a signature."""
    newest = not found.study.plans.filter(pk__gt=found.pk).exists()
    return found.signed_at is None and newest and may_sign_plan(user_of(request), found.study)


def _listed(found: Plan, *, first: bool) -> dict[str, Any]:
    """A version, its state in a word, and the looks taken under it."""
    signed = found.signed_at is not None
    state = "in force" if first and signed else "waits for a signature" if first else "replaced"
    return {"plan": found, "study": found.study, "state": state, "looks": list(found.looks.order_by("number"))}


def _read(found: Plan) -> dict[str, Any]:
    """What the version says, for who signs it, and what it changed."""
    before = plan_verbs.plan_before(found)
    contents = AnalysisPlan.model_validate_json(found.source)
    return {
        "contents": contents,
        "planned": [_planned(look, contents.looks) for look in contents.looks.planned] if contents.looks else [],
        "spending": _spending(contents.looks) if contents.looks else "",
        "models": [_model(each, contents) for each in contents.models],
        "text": plan_file(found.source),
        "before": before,
        "changes": [in_words(each) for each in plan_verbs.changes_of(found)],
        "lines": list(changed_lines(before, found)) if before else [],
    }


def _planned(look: PlannedLook, looks: Looks) -> dict[str, Any]:
    """A planned look, with what makes it due in words."""
    last = look.number == len(looks.planned)
    met = {
        "information": f"{look.information} units came in",
        "calendar": "the day of the data is past",
        "enrolled": f"{look.enrolled} are randomised",
    }
    due = "the data are clean: people order it" if last else ", or ".join(met[each] for each in look.triggers)
    return {"look": look, "fraction": f"{look.information / looks.maximum_information:.3f}", "due": due}


def _model(model: Model, contents: AnalysisPlan) -> dict[str, Any]:
    """A model in words."""
    named = {population.code: population.label for population in contents.populations}
    return {
        "id": model.id,
        "primary": model.primary,
        "endpoint": contents.endpoint(model.endpoint).label,
        "method": _METHODS[model.method],
        "population": named.get(model.population, model.population),
        "covariates": ", ".join(name.replace("_", " ") for name in model.covariates),
    }


def _spending(looks: Looks) -> str:
    sides = "one-sided" if looks.sides == 1 else "two-sided"
    futility = looks.futility
    shown = (
        f"Futility is shown below a conditional power of {futility.conditional_power_below:g}, and binds nobody."
        if futility
        else ""
    )
    return f"Alpha {looks.alpha:g} {sides}, spent by {looks.spending_name}. {shown}".strip()


def _shown(form: PlanForm, checked: CheckedPlan | None) -> dict[str, Any]:
    """What was found in the text, beside the text it was found in."""
    if checked is None:
        return {"checked": None, "text": form["text"].value() or ""}
    text = form.cleaned_data["text"]
    lines = text.splitlines()
    problems = [
        {"problem": each, "met": lines[each.line - 1].strip() if 0 < each.line <= len(lines) else ""}
        for each in checked.problems
    ]
    changes = [in_words(each) for each in checked.changes[:_TOO_MANY_CHANGES]]
    more = max(len(checked.changes) - _TOO_MANY_CHANGES, 0)
    return {"checked": checked, "problems": problems, "changes": changes, "more": more, "text": text}


def _initial(study: Study, protocol: ProtocolVersion, draft: Draft | None) -> dict[str, str]:
    """What was typed before, or else the plan in force, or else the one that stands in the protocol."""
    if draft:
        return dict(drafts.texts(draft))
    current = study.plans.order_by("pk").last()
    return {"text": plan_file(current.source if current else plan_verbs.plan_source(protocol))}


def _key(study: Study) -> str:
    return f"plan/{study.pk}"


def _study(request: HttpRequest, code: str) -> Study:
    return get_object_or_404(visible_studies(user_of(request)), code=code)


urls: list[tuple[str, View, str]] = [
    ("study/<slug:code>/plan/", plans, "analysis_plans"),
    ("study/<slug:code>/plan/new/", new_plan, "analysis_plan_new"),
    ("study/<slug:code>/plan/<str:version>/", plan, "analysis_plan"),
    ("study/<slug:code>/plan/<str:version>/plan.yaml", plan_text, "analysis_plan_text"),
]
