"""Data: cuts of the trial's data, and the background work that takes them and reports on them."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from analysis import cuts as cut_verbs
from analysis import jobs as job_verbs
from analysis.models import Job
from analysis.open_reading import described_files, visible_cuts, visible_jobs
from analysis.permissions import may_order_cut, may_read_cut, may_retry_job
from studies.errors import NotAllowed, TrialError
from studies.models import Study
from studies.permissions import may_manage_data, visible_studies
from trialsite.desk.page import View, key_in, page, refusals, say, shows_refusals, user_of

PER_PAGE = 50
UNFINISHED = (Job.Status.QUEUED, Job.Status.RUNNING)


@shows_refusals
def data(request: HttpRequest) -> HttpResponse:
    """Cuts and jobs of all studies in sight; ordering a cut and retrying a job are posted here."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            said = _act(request)
        except NotAllowed:
            raise
        except TrialError as error:
            errors = refusals(error)
        else:
            say(request, said)
            return redirect("admin:data")
    return page(
        request, "data.html", room="data", title="Data", status=422 if errors else 200, errors=errors, **_shown(request)
    )


@shows_refusals
def cut(request: HttpRequest, name: str) -> HttpResponse:
    """One cut: of which moment, and its files."""
    found = get_object_or_404(visible_cuts(user_of(request)), name=name)
    rows: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    try:
        rows = described_files(found)
    except cut_verbs.CutDoesNotVerify as error:
        errors = refusals(error)
    status = 409 if errors else 200
    title = f"Cut {name}"
    return page(
        request, "cut.html", room="data", title=title, status=status, cut=found, files=rows, problems=errors.values()
    )


def _act(request: HttpRequest) -> str:
    user = user_of(request)
    if "retry" in request.POST:
        job = get_object_or_404(visible_jobs(user), pk=key_in(request, "retry"))
        job_verbs.retry(user, job=job)
        return f"{job.get_kind_display()} ordered again."
    study = get_object_or_404(visible_studies(user), pk=key_in(request, "study"))
    ordered = cut_verbs.order_cut(user, study=study)
    return f"Cut {ordered} ordered. Its progress is shown below."


def _shown(request: HttpRequest) -> dict[str, Any]:
    user = user_of(request)
    # Simulated trials are hundreds of small jobs; their page follows them (trialsite/desk/design.py).
    shown = visible_jobs(user).exclude(kind=Job.Kind.SIMULATION)
    jobs = Paginator(shown, PER_PAGE).get_page(request.GET.get("page"))
    studies = list(visible_studies(user).order_by("pk"))
    return {
        "studies": [study for study in studies if may_order_cut(user, study)],
        "brings": any(may_manage_data(user, study) for study in studies),
        "reads_cuts": any(may_read_cut(user, study) for study in studies),
        "cuts": visible_cuts(user)[:PER_PAGE],
        "jobs": jobs,
        "retried": _retried(user_of(request), studies),
        "working": any(job.status in UNFINISHED for job in jobs),
    }


def _retried(user: Any, studies: list[Study]) -> set[int]:
    """The studies whose failed jobs the person may order again."""
    return {study.pk for study in studies if may_retry_job(user, study)}


urls: list[tuple[str, View, str]] = [("data/", data, "data"), ("data/cuts/<str:name>/", cut, "cut")]
