"""What is asked when a file of another system is brought, and before it is taken."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from outcomes.interchange.planning import Plan
from outcomes.interchange.taking import Choices
from outcomes.response_entry import MISSING_REASONS
from trialsite.desk.fields import DeskForm
from trialsite.desk.import_answers_forms import reasons_of

# A larger file takes longer than a page may: it is brought by the command line.
LARGEST = 4_000_000
ROLES = ("file", "dictionary", "events")
_CODE = re.compile(r"[A-Z][A-Z0-9_-]{1,19}")


class BringForm(DeskForm):
    """The file, and what is needed to read it."""

    file = forms.FileField(
        help_text="ODM-XML 1.3, REDCap records or data dictionary (CSV), or FHIR Questionnaire (JSON)"
    )
    dictionary = forms.FileField(
        label="Data dictionary", required=False, help_text="REDCap's, for its records: nobody else knows its columns"
    )
    events = forms.FileField(label="List of events", required=False, help_text="REDCap's, of a longitudinal project")
    study = forms.CharField(
        max_length=20,
        help_text="An imported study that is here, or a new code: capitals, digits, - and _, beginning with a letter",
    )
    attestation = forms.CharField(
        label="Who answers for the consents",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For a study that is new here: on whose word did these people consent?",
    )
    encoding = forms.ChoiceField(choices=[("utf-8", "UTF-8"), ("cp1252", "Windows (cp1252)")], label="Written in")
    delimiter = forms.ChoiceField(choices=[(",", "comma"), (";", "semicolon"), ("\t", "tab")], label="Between cells")
    missing = forms.CharField(
        label="Codes for no value",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=f"Of REDCap records; one a line, such as -99 = refused. Reasons: {', '.join(MISSING_REASONS)}",
    )

    def clean_missing(self) -> dict[str, str]:
        return reasons_of(self.cleaned_data["missing"])

    def clean_study(self) -> str:
        code = str(self.cleaned_data["study"]).strip().upper()
        if not _CODE.fullmatch(code):
            raise forms.ValidationError(
                f"'{code}' is no code: 2 to 20 capitals, digits, - and _, a letter first, such as BACKPAIN2024."
            )
        return code

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for role in ROLES:
            size = given[role].size if given.get(role) else 0
            if size > LARGEST:
                self.add_error(
                    role,
                    f"The file has {size / 1e6:.0f} MB; a page takes {LARGEST // 1_000_000} MB. Bring it by the command"
                    " line: manage.py import_records.",
                )
        return given


class TakeForm(DeskForm):
    """What is done with values that are stored otherwise, and with those that break their definition."""

    changed = forms.ChoiceField(
        label="Values that are stored otherwise",
        choices=[("leave", "Leave what is stored"), ("correct", "Correct them, with the reason below")],
        widget=forms.RadioSelect,
    )
    doubtful = forms.ChoiceField(
        label="Values that break their own definition",
        choices=[("leave", "Leave them out"), ("keep", "Keep them as they came, marked with the rule they break")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(required=False, max_length=200, help_text="For what is corrected or kept in doubt")

    def __init__(self, planned: Plan, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not planned.difference.changed:
            del self.fields["changed"]
        if not planned.doubts:
            del self.fields["doubtful"]
        if "changed" not in self.fields and "doubtful" not in self.fields:
            del self.fields["reason"]

    @property
    def choices(self) -> Choices:
        """What was chosen; where there was nothing to choose, the strict way."""
        given = self.cleaned_data
        return Choices(changed=given.get("changed", "refuse"), doubtful=given.get("doubtful", "refuse"))
