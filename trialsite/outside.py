"""The open door's pages for what leads nowhere: an address, or a page that was sent without its token."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.csrf import csrf_failure as django_csrf_failure

from trialsite.desk.page import page
from trialsite.participant_door.threshold import PATH, at_the_door, nothing_here
from trialsite.participant_door.views import reload

API = "/api/"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What is not there and what is out of sight are answered alike, each door in its own words."""
    if request.path.startswith(PATH):
        return at_the_door(lambda asked: nothing_here(asked, 404))(request)
    if request.path.startswith(API):
        problem = {"type": "urn:trialsite:not_found", "title": "Not found", "status": 404}
        said = {"detail": "There is nothing at this address. The addresses are listed in /api/v1/openapi.json."}
        return JsonResponse(problem | said, status=404, content_type="application/problem+json")
    message = "There is nothing at this address, or nothing that you may see. Check the number, or search for it."
    return page(request, "refused.html", room="", title="Nothing here", status=404, message=message)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A page that was open since before somebody signed in or out; another site's never gets here with a session."""
    if request.path.startswith(PATH):
        return at_the_door(reload)(request)
    if request.path.startswith(API):
        return django_csrf_failure(request, reason)
    message = (
        "Nothing was saved: since this page was opened, somebody signed in or out in this browser, or cookies are "
        "switched off. Go back, load the page again, and save; what was kept as a draft is there."
    )
    return page(request, "refused.html", room="", title="Please load the page again", status=403, message=message)
