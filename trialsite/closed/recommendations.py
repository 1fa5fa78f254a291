"""What the DSMB recommends after a look: recorded and released by its chair, read by those who read the results."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from analysis import closed_reading, recommendations
from analysis.models import Recommendation
from studies.closed_door import may_recommend
from studies.errors import InvalidEntry
from studies.password import require_password
from studies.permissions import require
from trialsite.closed.page import account_of, closed_page, page, study_of


class RecommendationForm(forms.Form):
    says = forms.ChoiceField(
        label="The committee recommends", choices=Recommendation.Says.choices, widget=forms.RadioSelect
    )
    grounds = forms.CharField(
        label="Grounds",
        max_length=recommendations.LONGEST_GROUNDS,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="For the committee's records. They stay at the closed door, whatever is released.",
    )


class ReleaseForm(forms.Form):
    password = forms.CharField(
        label="Your password, entered again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@closed_page
def recommendation(request: HttpRequest, number: int) -> HttpResponse:
    """One look's recommendation; recording and releasing are posted here."""
    account = account_of(request)
    study = study_of(account)
    look = get_object_or_404(closed_reading.looks(account, study=study), number=number)
    form, releasing = _forms(request)
    if request.method == "POST":
        require(may_recommend(account, study), f"say what the DSMB of {study} recommends")
        if _done(request, number, form, releasing):
            return redirect("recommendation", number)
    versions = recommendations.recorded(account, study=study, number=number)
    released = Recommendation.objects.filter(look=look).first()
    return page(
        request,
        "recommendation.html",
        title=f"Recommendation after look {number}",
        status=422 if form.errors or releasing.errors else 200,
        look=look,
        form=form,
        releasing=releasing,
        versions=versions,
        last=versions[-1] if versions else None,
        released=released,
        chair=may_recommend(account, study) and released is None and look.closed_status == "reported",
    )


def _forms(request: HttpRequest) -> tuple[RecommendationForm, ReleaseForm]:
    """Of the two only the one that was sent is bound."""
    release = "release" in request.POST
    sent: Any = request.POST if request.method == "POST" else None
    return RecommendationForm(None if release else sent), ReleaseForm(sent if release else None)


def _done(request: HttpRequest, number: int, form: RecommendationForm, releasing: ReleaseForm) -> bool:
    """Record or release what was sent; False where an entry is at fault."""
    account = account_of(request)
    study = study_of(account)
    if releasing.is_bound:
        if not releasing.is_valid():
            return False
        try:
            require_password(request, account, releasing.cleaned_data["password"])
        except InvalidEntry as error:
            releasing.add_error("password", error.message)
            return False
        recommendations.release(account, study=study, number=number)
        return True
    if not form.is_valid():
        return False
    recommendations.record(account, study=study, number=number, **form.cleaned_data)
    return True
