"""What every page of the closed door shares: who signed in, the rooms of the role, refusals in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from studies.closed_door import may_prepare_kits, may_read_closed_results, may_take_concentrations
from studies.errors import NotAllowed, TrialError
from studies.models import ClosedAccount, Study

View = Callable[..., HttpResponseBase]


def account_of(request: HttpRequest) -> ClosedAccount:
    return cast(ClosedAccount, request.user)


def study_of(account: ClosedAccount) -> Study:
    """The one study that an account of the closed door belongs to."""
    return Study.objects.get(pk=account.study_id)


def page(request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any) -> HttpResponse:
    """A page of the closed door for somebody who has signed in."""
    account = account_of(request)
    study = study_of(account)
    about = {"account": account, "study": study, "rooms": _rooms(account, study), "title": title}
    return render(request, f"closed/{template}", {**about, **context}, status=status)


def closed_page(view: View) -> View:
    """Only for accounts, kept by no cache; what the role does not cover is said in a sentence."""

    @never_cache
    @login_required
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NotAllowed as error:
            return page(request, "message.html", title="Not allowed", status=403, message=error.message)
        except TrialError as error:
            return page(request, "message.html", title="Not possible now", status=409, message=error.message)

    return shown


@never_cache
def nothing_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for addresses that lead nowhere, or not yet."""
    message = "There is nothing at this address, or not yet."
    if not request.user.is_authenticated:
        return render(request, "closed/outside.html", {"title": "Nothing here", "message": message}, status=404)
    return page(request, "message.html", title="Nothing here", status=404, message=message)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A page that was open since before somebody signed in or out in this browser."""
    message = "Nothing was sent: this page was open since before somebody signed in or out. Go back and load it again."
    return render(
        request, "closed/outside.html", {"title": "Please load the page again", "message": message}, status=403
    )


def _rooms(account: ClosedAccount, study: Study) -> list[tuple[str, str]]:
    rooms = []
    if may_read_closed_results(account, study):
        rooms += [("Looks", reverse("looks")), ("Unblinded cuts", reverse("cuts"))]
    if may_prepare_kits(account, study):
        rooms += [("Kits", reverse("kits"))]
    if may_take_concentrations(account, study):
        rooms += [("Drug levels", reverse("concentrations"))]
    return rooms
