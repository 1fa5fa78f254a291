"""What is asked of an imported study before its values are answers: whose, when, which item, and what to leave out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from django import forms

from outcomes.interchange.definitions import Definitions, Form
from outcomes.interchange.records_mapping import SUBJECT, AnsweredForm, Answers, MissingReason, RecordsMapping
from outcomes.response_entry import MISSING_REASONS
from outcomes.scoring import Instrument
from studies.models import ProtocolVersion, Study
from trialsite.desk.fields import DeskForm, MomentField

_NO_FIELD = ("", "not in the file")
_LONGEST_LABEL = 60


class GeneralForm(DeskForm):
    """Whose the values are, at which visits, and what stands where there is no answer."""

    may_be_left_open = True

    target = forms.ChoiceField(label="Answers of the study")
    participant = forms.CharField(
        label="Participant",
        initial=SUBJECT,
        max_length=80,
        help_text="How the identifier here is made of the file's subject, such as KALM-BER-{subject}",
    )
    completed_at = MomentField(
        label="Answered at",
        required=False,
        help_text="For forms of the file that do not say when they were answered; UTC",
    )
    missing = forms.CharField(
        label="Codes for no answer",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=f"One a line, such as -99 = refused. Reasons: {', '.join(MISSING_REASONS)}",
    )

    def __init__(self, *args: Any, targets: Iterable[Study], events: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        targets = list(targets)
        cast(forms.ChoiceField, self.fields["target"]).choices = [
            (s.code, _shortened(f"{s.code}: {s.title}")) for s in targets
        ]
        visits = [("", "none of them"), *((code, code) for code in _visits(targets))]
        self.events = events
        for number, name in enumerate(events.values()):
            self.fields[f"event_{number}"] = forms.ChoiceField(
                label=f"Event “{name}” is the visit", choices=visits, required=False
            )
        if not events:
            self.fields["visit"] = forms.ChoiceField(label="All its records are of the visit", choices=visits)
        # As one thinks of them: whose, at which visit, when, and what is no answer.
        visits_of = [name for name in self.fields if name.startswith(("event_", "visit"))]
        self.order_fields(["target", "participant", *visits_of])
        for name in self.fields:
            self.speak(name)

    def clean_participant(self) -> str:
        text = str(self.cleaned_data["participant"]).strip()
        if SUBJECT not in text:
            raise forms.ValidationError(
                f"'{text}' names one person only. Write {SUBJECT} where the file's subject stands."
            )
        return text

    def clean_missing(self) -> dict[str, str]:
        return reasons_of(self.cleaned_data["missing"])

    def mapping(self, known: RecordsMapping) -> RecordsMapping:
        """What was entered, with the forms that were mapped before."""
        given = self.cleaned_data
        events = {event: given[f"event_{number}"] for number, event in enumerate(self.events)}
        return RecordsMapping(
            file=known.file,
            missing_codes=cast(dict[str, MissingReason], given["missing"]),
            answers=Answers(
                study=given["target"],
                participant=given["participant"],
                events={event: visit for event, visit in events.items() if visit},
                visit=given.get("visit") or None,
                completed_at=given["completed_at"],
                forms=known.answers.forms if known.answers else (),
            ),
        )


def _visits(targets: Iterable[Study]) -> list[str]:
    """The codes of the visits of some studies, in the order of their protocols."""
    versions = ProtocolVersion.objects.filter(study__in=list(targets)).order_by("study__code", "-pk")
    return list(dict.fromkeys(visit.id for version in versions for visit in version.definition.visits))


def pairs_of(text: str, example: str) -> Iterator[tuple[str, str]]:
    """What is written as `code = meaning`, one a line. Raises ValidationError."""
    for line in filter(None, (line.strip() for line in text.splitlines())):
        left, equals, right = (part.strip() for part in line.partition("="))
        if not (left and equals and right):
            raise forms.ValidationError(f"'{line}' is not understood. Write a code, = and what it is: {example}.")
        yield left, right


def reasons_of(text: str) -> dict[str, str]:
    """Codes that stand for no answer, each with its reason, one a line. Raises ValidationError."""
    found = dict(pairs_of(text, "-99 = refused"))
    for code, why in found.items():
        if why not in MISSING_REASONS:
            raise forms.ValidationError(f"{code} = {why}: the reason is one of {', '.join(MISSING_REASONS)}.")
    return found


class ItemsForm(DeskForm):
    """Which field of a form of the file is which item of an instrument."""

    may_be_left_open = True

    def __init__(self, *args: Any, form: Form, definitions: Definitions, instrument: Instrument, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instrument = instrument
        choices = [_NO_FIELD, *((oid, _label(oid, definitions)) for oid in form.items)]
        for name, item in instrument.items.items():
            self.fields[f"item_{name}"] = forms.ChoiceField(
                label=f"{name}. {item.label} ({item.min:g} to {item.max:g})", choices=choices, required=False
            )
        self.fields["completed_on"] = forms.ChoiceField(
            label="Answered on", choices=choices, required=False, help_text="The field with the day or moment"
        )
        self.fields["codes"] = forms.CharField(
            label="Codes that are other numbers here",
            required=False,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text="Only where the file counts otherwise: each code on a line, such as 1 = 0",
        )
        for name in self.fields:
            self.speak(name)

    def clean_codes(self) -> dict[str, float]:
        try:
            return {code: float(text) for code, text in pairs_of(self.cleaned_data["codes"], "1 = 0")}
        except ValueError as error:
            raise forms.ValidationError("A code here is a number: 1 = 0.") from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        seen: dict[str, str] = {}
        for name, item in self._chosen(given):
            if name in seen:
                self.add_error(f"item_{item}", f"{name} is item {seen[name]} already; a field is one item.")
            seen[name] = item
        if not seen:
            self.add_error(None, "No field is chosen yet: say which field is which item, at least one.")
        return given

    def _chosen(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        return ((given[f"item_{item}"], item) for item in self.instrument.items if given.get(f"item_{item}"))

    def answered(self, form: str) -> AnsweredForm:
        """What was entered, as a part of the mapping."""
        return AnsweredForm(
            form=form,
            instrument=self.instrument.key,
            items=dict(self._chosen(self.cleaned_data)),
            completed_on=self.cleaned_data["completed_on"] or None,
            codes=self.cleaned_data["codes"],
        )


def _label(oid: str, definitions: Definitions) -> str:
    item = definitions.items.get(oid)
    wording = next(iter(item.wording.values()), "") if item else ""
    text = " ".join(wording.split())
    return f"{oid}: {_shortened(text)}" if text else oid


def _shortened(text: str) -> str:
    return f"{text[:_LONGEST_LABEL]}…" if len(text) > _LONGEST_LABEL else text


def suggested(form: Form, instrument: Instrument) -> dict[str, str]:
    """A field for each item whose number it ends with, where there is one only. To be looked at, not to be trusted."""
    found = {}
    for item in instrument.items:
        ends = re.compile(rf"(^|.*[^0-9A-Za-z]|.*[A-Za-z])0*{re.escape(item)}")
        fitting = [oid for oid in form.items if ends.fullmatch(oid)]
        if len(fitting) == 1:
            found[f"item_{item}"] = fitting[0]
    return found


class TakeAnswersForm(DeskForm):
    """What is done with forms that are stored otherwise, and with those that are refused."""

    changed = forms.ChoiceField(
        label="Forms that are stored otherwise",
        choices=[("leave", "Leave what is stored"), ("correct", "Correct them, with the reason below")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(required=False, max_length=200, help_text="For what is corrected")
    refused = forms.ChoiceField(
        label="Forms that are refused",
        choices=[("leave", "Leave them out, and take the others")],
        widget=forms.RadioSelect,
    )

    def __init__(self, content: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not content["changed"]:
            del self.fields["changed"], self.fields["reason"]
        if not content["left_out"]:
            del self.fields["refused"]
