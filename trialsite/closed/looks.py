"""The looks of a study, and what each found by arm."""

from __future__ import annotations

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from analysis import closed_reading
from analysis.closed_store import Report, SealedResult
from analysis.models import Job, Look, Recommendation
from studies.closed_door import may_prepare_kits, may_read_masking, may_recommend
from studies.models import Study
from studies.permissions import require
from trialsite.closed.page import account_of, closed_page, page, study_of

PDF, JSON, HTML = "application/pdf", "application/json", "text/html; charset=utf-8"


@closed_page
def home(request: HttpRequest) -> HttpResponse:
    """Where a role begins: looks for those who read results, kits for the pharmacist."""
    account = account_of(request)
    return redirect("kits" if may_prepare_kits(account, study_of(account)) else "looks")


@closed_page
def looks(request: HttpRequest) -> HttpResponse:
    account = account_of(request)
    study = study_of(account)
    found = list(closed_reading.looks(account, study=study))
    may = [closed_reading.readable(account, each) for each in found]
    released = {each.look_id: each.get_says_display() for each in Recommendation.objects.filter(look__in=found)}
    rows = [
        {"look": each, "job": _running(study, each), "may": readable, "recommendation": released.get(each.pk, "")}
        for each, readable in zip(found, may, strict=True)
    ]
    return page(
        request,
        "looks.html",
        title="Looks",
        rows=rows,
        working=any(row["job"] for row in rows),
        may_recommend=may_recommend(account, study),
        may_read_masking=may_read_masking(account, study) and any(each.masked for each in may),
    )


@closed_page
def report(request: HttpRequest, number: int) -> HttpResponse:
    """The closed report as it was sealed: a page of its own, with its own style sheet and no script."""
    return HttpResponse(_read(request, number, "report").html, content_type=HTML)


@closed_page
def report_pdf(request: HttpRequest, number: int) -> HttpResponse:
    return _download(_read(request, number, "PDF").pdf, PDF, f"{_name(request, number)}.pdf")


@closed_page
def result(request: HttpRequest, number: int) -> HttpResponse:
    return _download(_read(request, number, "result").result, JSON, f"{_name(request, number)}.json")


@closed_page
def masked(request: HttpRequest, number: int) -> HttpResponse:
    """The report with masked arms, as it was sealed."""
    return HttpResponse(_read_masked(request, number, "report").html, content_type=HTML)


@closed_page
def masked_pdf(request: HttpRequest, number: int) -> HttpResponse:
    return _download(_read_masked(request, number, "PDF").pdf, PDF, f"{_name(request, number)}-masked.pdf")


@closed_page
def masked_result(request: HttpRequest, number: int) -> HttpResponse:
    return _download(_read_masked(request, number, "result").result, JSON, f"{_name(request, number)}-masked.json")


class MaskingForm(forms.Form):
    purpose = forms.CharField(
        label="For what purpose",
        max_length=200,
        help_text="Written into the trail with your name, before anything is shown. The open side can read the trail:"
        " name no arm and no result",
    )


@closed_page
def masking(request: HttpRequest) -> HttpResponse:
    """Which label of the masked reports is which arm: shown to who says for what."""
    account = account_of(request)
    require(may_read_masking(account, study_of(account)), "read which arm is A")
    form = MaskingForm(request.POST or None)
    labels = None
    # Read by POST only: what stands in an address ends in logs and histories.
    if request.method == "POST" and form.is_valid():
        purpose = form.cleaned_data["purpose"]
        labels = closed_reading.read_masking(account, study=study_of(account), purpose=purpose)
    status = 422 if form.errors else 200
    rows = sorted((label, arm) for arm, label in (labels or {}).items())
    return page(request, "masking.html", title="Which arm is A", status=status, form=form, rows=rows)


@closed_page
def failures(request: HttpRequest, number: int) -> HttpResponse:
    account = account_of(request)
    found = closed_reading.failures(account, study=study_of(account), number=number)
    return page(request, "failures.html", title=f"Look {number}: why jobs failed", failures=found)


@closed_page
def cuts(request: HttpRequest) -> HttpResponse:
    account = account_of(request)
    found = closed_reading.unblinded_cuts(account, study=study_of(account))
    return page(request, "cuts.html", title="Unblinded cuts", cuts=found)


@closed_page
def cut_file(request: HttpRequest, cut: str, file: str) -> FileResponse:
    account = account_of(request)
    path = closed_reading.cut_file(account, study=study_of(account), cut=cut, file=file)
    if path is None:
        raise Http404
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"{cut}-{file}")


def _read(request: HttpRequest, number: int, what: str) -> SealedResult:
    account = account_of(request)
    sealed = closed_reading.read_result(account, study=study_of(account), number=number, what=what)
    if sealed is None:
        raise Http404
    return sealed


def _read_masked(request: HttpRequest, number: int, what: str) -> Report:
    account = account_of(request)
    sealed = closed_reading.read_masked(account, study=study_of(account), number=number, what=what)
    if sealed is None:
        raise Http404
    return sealed


def _name(request: HttpRequest, number: int) -> str:
    return f"{study_of(account_of(request))}-look-{number}-closed"


def _download(content: bytes, content_type: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


def _running(study: Study, look: Look) -> Job | None:
    """The work of the unblinded side that a look still waits for."""
    waiting = Job.objects.filter(study=study, cut=look.cut_id, side=Job.Side.UNBLINDED)
    return waiting.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).order_by("pk").first()
