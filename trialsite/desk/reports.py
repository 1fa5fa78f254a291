"""Reports: the looks of a trial and their open reports. What a look found by arm is at the closed door."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from analysis.due_looks import next_look
from analysis.looks import order_look, planned_looks
from analysis.models import DataCut, Job, OpenReport, Recommendation
from analysis.open_reading import open_report, visible_cuts, visible_jobs, visible_looks
from analysis.permissions import may_order_look, may_read_simulation
from analysis.plans import current_plan, unsigned_plan
from studies.errors import TrialError
from studies.models import Study
from studies.permissions import require, visible_studies
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, page, refusals, say, shows_refusals, user_of

UNPLANNED = "unplanned"


@shows_refusals
def reports(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    looks = list(visible_looks(user).order_by("study", "number"))
    working = _unfinished(request)
    said = {each.look_id: each for each in Recommendation.objects.filter(look__in=looks)}
    studies = [
        {
            "study": study,
            "may_order": may_order_look(user, study),
            "reads_designs": may_read_simulation(user, study),
            "next": next_look(study),
            "unsigned": unsigned_plan(study),
            "looks": [
                {"look": each, "jobs": working.get(each.cut_id, []), "recommendation": said.get(each.pk)}
                for each in looks
                if each.study_id == study.pk
            ],
        }
        for study in visible_studies(user).order_by("pk")
    ]
    return page(request, "reports.html", room="reports", title="Reports", studies=studies, working=bool(working))


@shows_refusals
def order(request: HttpRequest, code: str) -> HttpResponse:
    """Order a look: the next one of the plan, or an unplanned one with its reason."""
    study = get_object_or_404(visible_studies(user_of(request)), code=code)
    require(may_order_look(user_of(request), study), f"order a look of {study}")
    errors: dict[str, str] = {}
    form = None
    try:
        form = LookForm(request, study)
        if request.method == "POST" and form.is_valid():
            look = order_look(user_of(request), study=study, **form.ordered())
            say(request, f"{look} ordered. Its progress is shown below and on the Data page.")
            return redirect("admin:reports")
    except TrialError as error:
        errors = refusals(error)
    status = 422 if errors or (form and form.errors) else 200
    return page(
        request,
        "order_look.html",
        room="reports",
        title=f"Order a look of {study}",
        status=status,
        form=form,
        errors=errors,
        next=next_look(study),
    )


def report(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """The open report as it was made: a page of its own, with its own style sheet and no script."""
    return HttpResponse(bytes(_report(request, code, number).html), content_type="text/html; charset=utf-8")


def report_pdf(request: HttpRequest, code: str, number: int) -> HttpResponse:
    name = f"{code}-look-{number}-open.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(bytes(_report(request, code, number).pdf), content_type="application/pdf", headers=headers)


class LookForm(DeskForm):
    """What is ordered, on which cut. Raises InvalidEntry for a study without a frozen plan."""

    look = forms.ChoiceField(label="Which look", widget=forms.RadioSelect)
    reason = forms.CharField(
        label="Why it was not planned",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For an unplanned look only. It stands in the report, and the look spends alpha.",
    )
    cut = forms.ModelChoiceField(
        label="On which cut",
        queryset=DataCut.objects.none(),
        required=False,
        empty_label="A new cut, taken now",
    )

    def __init__(self, request: HttpRequest, study: Study) -> None:
        super().__init__(request.POST or None)
        self.fields["look"].choices = _choices(study)  # type: ignore[attr-defined]
        unused = visible_cuts(user_of(request)).filter(study=study, looks__isnull=True)
        self.fields["cut"].queryset = unused.exclude(status=DataCut.Status.FAILED)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("look") == UNPLANNED and not self.cleaned_data.get("reason", "").strip():
            self.add_error("reason", "Say why this look was not planned.")
        return self.cleaned_data

    def ordered(self) -> dict[str, Any]:
        """The look as `order_look` takes it."""
        given = self.cleaned_data
        if given["look"] == UNPLANNED:
            return {"number": 0, "unplanned_reason": given["reason"], "cut": given["cut"]}
        return {"number": int(given["look"]), "cut": given["cut"]}


def _choices(study: Study) -> list[tuple[str, str]]:
    """The next look of the plan, while there is one, and an unplanned look."""
    taken = set(study.looks.filter(planned=True).values_list("number", flat=True))
    planned = [int(look["number"]) for look in planned_looks(current_plan(study))]
    following = [number for number in planned if number not in taken][:1]
    choices = [(str(number), f"Look {number} of {len(planned)}, as planned") for number in following]
    return [*choices, (UNPLANNED, "An unplanned look")]


def _unfinished(request: HttpRequest) -> dict[int | None, list[Job]]:
    """Jobs that go on, by the cut they are for."""
    found: dict[int | None, list[Job]] = {}
    going_on = visible_jobs(user_of(request)).filter(
        cut__isnull=False, status__in=[Job.Status.QUEUED, Job.Status.RUNNING]
    )
    for job in going_on.order_by("pk"):
        found.setdefault(job.cut_id, []).append(job)
    return found


def _report(request: HttpRequest, code: str, number: int) -> OpenReport:
    looks = visible_looks(user_of(request)).filter(study__code=code, number=number)
    found = open_report(get_object_or_404(looks))
    if found is None:
        raise Http404
    return found


urls: list[tuple[str, View, str]] = [
    ("reports/", reports, "reports"),
    ("reports/<slug:code>/order/", order, "order_look"),
    ("reports/<slug:code>/<int:number>/", report, "open_report"),
    ("reports/<slug:code>/<int:number>/report.pdf", report_pdf, "open_report_pdf"),
]
