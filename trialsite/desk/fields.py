"""Forms of the desk: fields whose errors say what was met, what is allowed and what to do."""

from __future__ import annotations

from datetime import date, datetime
from math import inf, isfinite, nan
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class DeskForm(forms.Form):
    """A form in the words of the desk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:
            self.speak(name)

    def speak(self, name: str) -> None:
        """Give a field our sentences in place of Django's."""
        field = self.fields[name]
        label = field.label or name.replace("_", " ").capitalize()
        chosen = isinstance(field, forms.ChoiceField)
        field.error_messages["required"] = f"{label} is {'open: choose an answer' if chosen else 'empty: fill it in'}."
        if chosen:
            field.error_messages["invalid_choice"] = f"{label}: choose one of the answers shown."


class MomentField(forms.DateTimeField):
    """A date and time, typed on a clock that the form knows."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        try:
            return super().to_python(value)
        except ValidationError as error:
            raise _unreadable(self, value, "a date and time such as 2026-11-24 14:05 is") from error


class DayField(forms.DateField):
    """A day of the site's calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def to_python(self, value: Any) -> date | None:
        try:
            return super().to_python(value)
        except ValidationError as error:
            raise _unreadable(self, value, "a day such as 2026-11-24 is") from error


class NumberField(forms.Field):
    """A number as people type it, with a decimal point or a comma, from `low` to `high` where these are known."""

    # Not a number field of the browser: that one swallows what it cannot read, without a word.
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def __init__(self, *, limits: tuple[float, float] | None = None, unit: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limits, self.unit = limits, unit

    def to_python(self, value: Any) -> float | None:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            number = nan
        low, high = self.limits or (-inf, inf)
        if not (isfinite(number) and low <= number <= high):
            between = f" from {low:g} to {high:g}" if self.limits else ""
            raise _unreadable(self, value, f"{f'a number{between} {self.unit}'.rstrip()} is")
        return number


def _unreadable(field: forms.Field, value: Any, expected: str) -> ValidationError:
    return ValidationError(f"{field.label} is {str(value)!r}; {expected} expected. Check what was typed.")
