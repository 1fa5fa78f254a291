"""A form as a participant sees it: its questions with what may be answered, and what was typed read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import isfinite

from django.utils.translation import get_language, gettext

from outcomes.contact_preferences import contact_of
from outcomes.models import Invitation, OwnAnswer
from outcomes.scoring import Instrument, Item, load_instrument
from outcomes.wording import Wording, wording_for
from trialsite.participant_door.neutral_labels import translated

REFUSED = "refused"
# Up to this many codes a question is a row of buttons; beyond, a field for a number.
BUTTONS = 12
SUICIDALITY = "SUICIDALITY_ALERT_24H"


@dataclass
class Question:
    """One question. `shown_when` is the file's condition as JSON, empty where it is always asked."""

    item: str
    text: str
    low: float
    high: float
    integer: bool
    options: list[tuple[str, str]] = field(default_factory=list)
    worded: bool = False
    shown_when: str = ""
    skipped: bool = False
    help_line: str = ""
    typed: str = ""
    refused: bool = False
    message: str = ""

    @property
    def answered(self) -> bool:
        return self.refused or self.typed != ""


@dataclass(frozen=True)
class Sheet:
    """The whole form in one language. `about` is the time it asks about, `day` that of a diary."""

    title: str
    instructions: str
    about: str
    day: date | None
    questions: list[Question]

    @property
    def asked(self) -> list[Question]:
        return [question for question in self.questions if not question.skipped]


def sheet_of(invitation: Invitation, answers: Mapping[str, OwnAnswer]) -> Sheet:
    """The form with what was answered so far, in the language that is active."""
    instrument = load_instrument(invitation.instrument.key)
    wording = wording_for(invitation.instrument, get_language() or "en")
    given = {item: answer.value for item, answer in answers.items()}
    suicidality, help_line = _about_suicidality(instrument), _help_line(invitation)
    questions = []
    for name, item in instrument.items.items():
        question = _question(name, item, wording, given)
        question.help_line = help_line if name in suicidality else ""
        _fill(question, answers.get(name))
        questions.append(question)
    # A neutral form has no title of its own: nothing on the screen names the illness.
    title = wording.title if wording.licensed else ""
    about = "" if wording.licensed else translated(instrument.recall)
    return Sheet(title, wording.instructions, about, invitation.day, questions)


def _question(name: str, item: Item, wording: Wording, given: Mapping[str, float | None]) -> Question:
    shown = wording.items[name]
    question = Question(name, _said(shown.text, wording), item.min, item.max, item.integer)
    if item.integer and len(item.counts) <= BUTTONS:
        words = [(f"{code:g}", _said(shown.choices.get(code, ""), wording)) for code in item.counts]
        question.options = [(code, word or code) for code, word in words]
        question.worded = any(word and word != code for code, word in words)
    if item.asked_when is not None:
        question.shown_when = json.dumps(item.asked_when.model_dump(mode="json"))
        question.skipped = not item.asked_when.holds(given)
    return question


def _said(text: str, wording: Wording) -> str:
    """A text of the form: the licence-holder's as it is; a neutral label in the language of the page."""
    return text if wording.licensed or not text else translated(text)


def _fill(question: Question, answer: OwnAnswer | None) -> None:
    if answer is not None:
        question.refused = answer.missing_reason == REFUSED
        question.typed = "" if answer.value is None else f"{answer.value:.12g}"


def _about_suicidality(instrument: Instrument) -> set[str]:
    return {item for alert in instrument.alerts if alert.code == SUICIDALITY for item in alert.any_at_least}


def _help_line(invitation: Invitation) -> str:
    line = contact_of(invitation.participant.site).help_line
    return line or gettext("If you are in danger, call your local emergency number now.")


def read(question: Question, text: str) -> tuple[float | None, str]:
    """What was typed, as a number, and what is wrong with it (empty: nothing). A decimal comma is understood."""
    typed = text.strip()
    if not typed:
        return None, ""
    try:
        number = float(typed.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        return None, gettext("“%(typed)s” is not a number. Please enter %(allowed)s.") % {
            "typed": typed[:20],
            "allowed": allowed(question),
        }
    whole = not question.integer or number == int(number)
    if not whole or not question.low <= number <= question.high:
        return None, gettext("“%(typed)s” is not possible here. Please enter %(allowed)s.") % {
            "typed": typed[:20],
            "allowed": allowed(question),
        }
    return number, ""


def allowed(question: Question) -> str:
    """What may be entered, in words."""
    place = {"low": f"{question.low:g}", "high": f"{question.high:g}"}
    if question.integer:
        return gettext("a whole number from %(low)s to %(high)s") % place
    return gettext("a number from %(low)s to %(high)s") % place
