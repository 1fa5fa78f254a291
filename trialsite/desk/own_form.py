"""A form that a participant filled in alone: as it is, with its times, and what the site wrote beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from outcomes.arm_revealing import visible_responses
from outcomes.clarifications import clarify
from outcomes.models import Clarification, Invitation, OwnAnswer, Response
from outcomes.scoring import load_instrument
from studies.errors import TrialError
from studies.permissions import may_clarify
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, find_participant, in_sight, page, say, show_on, shows_refusals, user_of
from trialsite.desk.response_values import REASON_WORDS


@dataclass
class Line:
    """One question: the answer that counts, what was said before it, and what was clarified."""

    item: str
    label: str
    answer: str
    reason: str
    given: OwnAnswer | None = None
    before: list[str] = field(default_factory=list)
    clarifications: list[Clarification] = field(default_factory=list)

    @property
    def on_the_device(self) -> str:
        """The time that the device showed."""
        return _device_clock(self.given.device_at, self.given.device_offset_minutes) if self.given else ""


def _device_clock(at: datetime | None, offset_minutes: int | None) -> str:
    """A device's time on its own clock, with its offset from UTC."""
    if at is None:
        return ""
    return f"{at.astimezone(timezone(timedelta(minutes=offset_minutes or 0))):%-d %b %Y %H:%M %z}"


class ClarificationForm(DeskForm):
    item = forms.ChoiceField(label="About", required=False)
    text = forms.CharField(label="What was clarified", widget=forms.Textarea(attrs={"rows": 3}))


@shows_refusals
def own_form(request: HttpRequest, identifier: str, pk: int) -> HttpResponse:
    person, user = find_participant(request, identifier), user_of(request)
    rows = Response.objects.filter(visible_responses(user), participant=person, source=Response.Source.PARTICIPANT)
    found = get_object_or_404(rows.select_related("participant__site", "instrument", "visit"), pk=pk)
    lines, invitation = _lines(found), Invitation.objects.filter(response=found).first()
    form = ClarificationForm(request.POST or None)
    choices = [("", "The form as a whole"), *((line.item, f"{line.item} {line.label}") for line in lines)]
    form.fields["item"].choices = choices  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        try:
            clarify(user, response=found, **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, "Written beside the participant's own answers.")
            return redirect(request.path)
    return page(
        request,
        "own_form.html",
        room="participants",
        title=f"{found.instrument.name} · {found.visit.code if found.visit else found.day}",
        status=422 if form.errors else 200,
        **in_sight(request, person),
        response=found,
        invitation=invitation,
        sent_by_device=invitation
        and _device_clock(invitation.submitted_device_at, invitation.submitted_offset_minutes),
        lines=lines,
        whole=[c for c in found.clarifications.order_by("pk") if not c.item],
        scores=_scores(found),
        form=form,
        may_clarify=may_clarify(user, person.site),
    )


def _lines(response: Response) -> list[Line]:
    instrument = load_instrument(response.instrument.key)
    log, notes = _by_item(response), defaultdict(list)
    for note in response.clarifications.order_by("pk"):
        notes[note.item].append(note)
    lines = []
    for saved in response.items.order_by("pk"):
        label = instrument.items[saved.item].label if saved.item in instrument.items else ""
        reason = REASON_WORDS.get(saved.missing_reason or "", saved.missing_reason or "")
        answer = "" if saved.value is None else f"{saved.value:.12g}"
        said = log[saved.item]
        before = ["–" if a.value is None else f"{a.value:.12g}" for a in said[:-1]]
        line = Line(saved.item, label, answer, reason, said[-1] if said else None, before, notes[saved.item])
        lines.append(line)
    return lines


def _scores(response: Response) -> list[dict[str, str]]:
    """Scores in words; one that only repeats an answer is left out."""
    instrument = load_instrument(response.instrument.key)
    shown = []
    for score in response.scores.exclude(name__in=instrument.items).order_by("pk"):
        value = score.text if score.number is None else f"{score.number:.4g}"
        rule = instrument.scores.get(score.name)
        label = rule.label if rule and rule.label else score.name.replace("_", " ").capitalize()
        shown.append({"label": label, "value": value or "not known: too few answers"})
    return shown


def _by_item(response: Response) -> dict[str, list[OwnAnswer]]:
    """Every answer as it came, by question, in the order in which they were given."""
    log: dict[str, list[OwnAnswer]] = defaultdict(list)
    answers: Iterable[OwnAnswer] = OwnAnswer.objects.filter(invitation__response=response)
    for answer in sorted(answers, key=lambda a: (a.answered_at, a.pk)):
        log[answer.item].append(answer)
    return log


urls: list[tuple[str, View, str]] = [
    ("participants/<str:identifier>/own-forms/<int:pk>/", own_form, "own_form"),
]
