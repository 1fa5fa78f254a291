"""The readings of infusion day: those so far, and the ones to enter now, also before the infusion starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from studies import readings as verbs
from studies.errors import InvalidEntries, InvalidEntry
from studies.infusions import plan_of
from studies.models import Infusion, Participant, Reading, SafetyEvent
from studies.permissions import may_run_infusion, may_see_arm_revealing
from studies.protocol import plausibility
from trialsite.desk import drafts
from trialsite.desk.page import user_of


class ReadingsSheet:
    """The readings of one participant as one person sees them: the timepoint asked for, or the next one due."""

    def __init__(self, request: HttpRequest, person: Participant, running: Infusion | None) -> None:
        self._request, self._person, self._running = request, person, running
        self._plan = plan_of(person)
        # Before the start only the readings that come before it.
        self._minutes = [m for m in self._plan.readings_at_minutes if running is not None or m < 0]
        self.hidden = not may_see_arm_revealing(user_of(request), person.site)
        rows = [] if self.hidden else person.readings.order_by("minute", "parameter")
        self._saved = {(r.minute, r.parameter): r for r in rows}
        self._done = {minute for minute, _ in self._saved}
        self.minute = None if self.hidden else self._chosen()
        # Under which name what is typed is kept until it is saved.
        may_type = may_run_infusion(user_of(request), person.site) and self.minute is not None
        self.draft = f"readings/{person.pk}/{self.minute}" if may_type else ""
        self.is_sent = request.method == "POST" and "minute" in request.POST

    def _chosen(self) -> int | None:
        asked = self._request.POST.get("minute") or self._request.GET.get("minute", "")
        waiting = [minute for minute in self._minutes if minute not in self._done]
        return next((m for m in self._minutes if str(m) == asked), waiting[0] if waiting else None)

    def content(self, errors: Mapping[str, str]) -> dict[str, Any]:
        """What the page shows: nothing but that they are hidden to those who may not see them."""
        if self.hidden:
            return {"hidden": True}
        minute, running = self.minute, self._running
        drafted = drafts.find(user_of(self._request), self.draft) if self.draft and not self.is_sent else None
        kept = drafts.texts(drafted)
        return {
            "minute": minute,
            "minute_saved": minute in self._done,
            "minute_at": running.started_at + timedelta(minutes=minute) if running and minute is not None else None,
            "reason": self._request.POST.get("reason", "") or kept.get("reason", ""),
            "draft": self.draft and reverse("admin:draft") + f"?form={self.draft}",
            "drafted": drafted,
            "fields": [
                {
                    "parameter": parameter,
                    "id": f"{parameter.key}-{minute}",
                    "typed": self._typed(parameter.key, kept),
                    "message": errors.get(f"{parameter.key}-{minute}", ""),
                }
                for parameter in self._plan.parameters
            ],
            "minutes": self._minutes,
            "table": self._table() if running or self._saved else [],
            "unusual": verbs.unusual(self._plan, self._last()),
            "fired": self._fired(),
        }

    def save(self) -> tuple[str, list[SafetyEvent]]:
        """Save what was read at one timepoint; values saved before are corrected, with a reason.

        Returns what to say, and the rules that fired.
        """
        user, minute = user_of(self._request), int(number(self._request, "minute", "Timepoint"))
        values, problems = self._values(minute)
        if problems:
            raise InvalidEntries(problems)
        if minute in self._done:
            saved = {key: reading.value for (at, key), reading in self._saved.items() if at == minute}
            changed = {key: value for key, value in values.items() if value is not None and value != saved.get(key)}
            reason = self._request.POST.get("reason", "")
            fired = verbs.correct_readings(user, participant=self._person, minute=minute, values=changed, reason=reason)
        else:
            now = timezone.now()
            entries = [
                verbs.ReadingEntry(minute, key, now, value, None if value is not None else "not_done")
                for key, value in values.items()
            ]
            fired = verbs.record_readings(user, participant=self._person, readings=entries)
        drafts.forget(user, f"readings/{self._person.pk}/{minute}")
        return f"Readings at {minute} min {'corrected' if minute in self._done else 'saved'}.", fired

    def _table(self) -> list[dict[str, Any]]:
        return [
            {"parameter": parameter, "cells": [self._saved.get((m, parameter.key)) for m in self._minutes]}
            for parameter in self._plan.parameters
        ]

    def _last(self) -> list[verbs.ReadingEntry]:
        return [
            verbs.ReadingEntry(r.minute, r.parameter, r.taken_at, r.value.normalize())
            for r in self._saved.values()
            if r.value is not None and r.minute == max(self._done)
        ]

    def _fired(self) -> list[dict[str, Any]]:
        if self._running is None:
            return []
        rules = {rule.id: rule for rule in self._person.protocol_version.definition.safety_rules}
        events = self._running.safety_events.order_by("-minute")
        return [{"event": event, "rule": rules[event.rule]} for event in events if event.rule in rules]

    def _typed(self, key: str, kept: Mapping[str, str]) -> str:
        if self.is_sent:
            return self._request.POST.get(key, "")
        saved: Reading | None = self._saved.get((self.minute or 0, key))
        return kept.get(key) or ("" if saved is None or saved.value is None else f"{saved.value.normalize():f}")

    def _values(self, minute: int) -> tuple[dict[str, Decimal | None], list[InvalidEntry]]:
        """What was typed at one timepoint, None where nothing was; and all that cannot be, at once."""
        values: dict[str, Decimal | None] = {}
        problems = []
        for parameter in self._plan.parameters:
            low, high = parameter.hard
            allowed = f"a number from {low:f} to {high:f} {parameter.unit}".rstrip()
            said = ""
            try:
                typed = self._request.POST.get(parameter.key, "").strip()
                value = number(self._request, parameter.key, parameter.label, allowed) if typed else None
                values[parameter.key] = value
                refused = None if value is None else plausibility.refusal(self._plan, parameter.key, value)
                said = f"{refused} Check the value, or leave it empty: not done." if refused else ""
            except InvalidEntry as problem:
                said = problem.message
            if said:
                problems.append(InvalidEntry(said, field=f"{parameter.key}-{minute}"))
        return values, problems


def number(request: HttpRequest, name: str, label: str, allowed: str = "a number") -> Decimal:
    typed = request.POST.get(name, "").strip()
    try:
        value = Decimal(typed.replace(",", "."))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        met = f"{label} is {typed!r}" if typed else f"{label} is empty"
        raise InvalidEntry(f"{met}; {allowed} is expected. Check the value.", field=name)
    return value
