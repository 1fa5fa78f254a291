"""A stratum found wrong after randomisation: recorded beside the allocation, which stays as it was."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse

from studies.errors import RandomisationRefused
from studies.models import Allocation, Participant, Stratum
from studies.permissions import may_correct_stratum, require
from studies.randomisation_desk import correct_stratum, possible_strata, standing_stratum, stratum_of
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import find_participant, shows_refusals, user_of
from trialsite.desk.steps import entry, require_confirmed


class StratumForm(DeskForm):
    stratum = forms.ChoiceField(label="Should have been randomised in", widget=forms.RadioSelect)
    reason = forms.CharField(label="How the stratum came to be wrong", max_length=300)
    confirm = forms.CharField(label="Type the participant's identifier to confirm")


@shows_refusals
def stratum(request: HttpRequest, identifier: str) -> HttpResponse:
    person = find_participant(request, identifier)
    require(may_correct_stratum(user_of(request), person.site), "correct a stratum here")
    allocation = Allocation.objects.filter(participant=person).select_related("stratum").first()
    if allocation is None:
        raise Http404
    standing, strata = standing_stratum(person), possible_strata(person)
    form = StratumForm(request.POST or None, initial={"stratum": _by_findings(person)})
    offered = [(each.code, _in_words(person, each)) for each in strata if each != standing]
    form.fields["stratum"].choices = offered  # type: ignore[attr-defined]

    def save(given: dict[str, Any]) -> str:
        require_confirmed(person, given["confirm"])
        chosen = next(each for each in strata if each.code == given["stratum"])
        correct_stratum(user_of(request), participant=person, stratum=chosen, reason=given["reason"])
        return f"Recorded: {person.identifier} should have been randomised in {chosen}. The allocation stays as it was."

    corrected = "" if standing == allocation.stratum else f" A correction to {standing} stands."
    about = (
        f"{person.identifier} was randomised in stratum {allocation.stratum}.{corrected} The correction is kept beside"
        " it, as a deviation: the randomisation number, the kit and the list do not change."
    )
    return entry(request, person, form, save, title="Correct the stratum", button="Record correction", about=about)


def _by_findings(person: Participant) -> str:
    """The stratum that what is known today puts the participant in; empty while it does not tell."""
    try:
        return stratum_of(person).code
    except RandomisationRefused:
        return ""


def _in_words(person: Participant, stratum: Stratum) -> str:
    factors = person.protocol_version.definition.strata.factors
    labels = [level.label for f in factors for level in f.levels if stratum.levels.get(f.key) == level.code]
    return f"{stratum.code}: {', '.join(labels)}" if labels else stratum.code
