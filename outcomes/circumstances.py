"""How a form was taken, corrected with a reason: by staff or from paper, by a proxy, in which language, when.

Whether it was late follows from when it was answered. The answers stay as they are, and a form that participants filled
in alone stays wholly: its circumstances are what the door wrote down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outcomes.arm_revealing import tells
from outcomes.earlier_forms import alerts_of_changes
from outcomes.models import InstrumentVersion, InstrumentWording, Response
from outcomes.response_entry import ResponseEntry, checked_items
from outcomes.scoring import load_instrument
from studies import alerts
from studies.acting import moment, verb
from studies.errors import InvalidEntry
from studies.models import User
from studies.permissions import may_enter_response, require

# What may be corrected of a saved form; days late and the version of the wording follow.
CORRECTABLE = ("completed_at", "source", "proxy", "language")
# As staff take a form. Participants have a door of their own, imports and devices theirs.
BY_STAFF = (Response.Source.STAFF, Response.Source.PAPER)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")


@verb(because="form corrected")
def correct_circumstances(user: User, *, response: Response, circumstances: Mapping[str, Any], reason: str) -> Response:
    """Change how a saved form was taken; what stood there before stays in the audit trail.

    circumstances: new values by name, of those in CORRECTABLE; `completed_at` says when it was answered, `language` is
    a tag such as de, empty for numbers and labels. A change that an earlier form is compared by is judged anew.
    Raises NotAllowed; InvalidEntry without a reason, for a form that came from elsewhere, or where nothing changes;
    InvalidEntries naming everything that cannot be.
    """
    may = may_enter_response(
        user, response.participant.site, arm_revealing=tells(response.participant, response.instrument)
    )
    require(may, f"correct {response.instrument.name} here")
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    _refuse_foreign(response)
    response = _locked(response)
    changed = {name: value for name, value in circumstances.items() if getattr(response, name) != value}
    if not changed:
        raise InvalidEntry("Nothing is different from what is saved. Change it, or go back.")
    _refuse_impossible(response, changed)
    if "language" in changed:
        changed["wording_version"] = _wording_version(response.instrument, changed["language"])
    _store(response, changed)
    return response


def _locked(response: Response) -> Response:
    rows = Response.objects.select_for_update(of=("self",))
    return rows.select_related(
        "instrument", "visit", "participant__site", "participant__study", "participant__protocol_version"
    ).get(pk=response.pk)


def _refuse_foreign(response: Response) -> None:
    if response.source == Response.Source.PARTICIPANT:
        raise InvalidEntry("A participant's own entry is not changed, nor how it was made: put a note beside it.")
    if response.source not in BY_STAFF:
        raise InvalidEntry("This form was imported: correct it in its source and import it again.")


def _refuse_impossible(response: Response, changed: Mapping[str, Any]) -> None:
    """Raise InvalidEntries as a form that is entered so would."""
    if changed.get("source", response.source) not in BY_STAFF:
        allowed = " or ".join(BY_STAFF)
        said = f"{changed['source']!r} is not how staff take a form; allowed is {allowed}."
        raise InvalidEntry(f"{said} A participant's own entry comes by the participants' door.", field="source")
    language = changed.get("language", "")
    if language and not _LANGUAGE.fullmatch(language):
        raise InvalidEntry(f"{language!r} is no language; write a tag such as de or de-CH.", field="language")
    instrument = load_instrument(response.instrument.key, response.instrument.version)
    checked_items(replace(_as_saved(response), **changed), instrument)


def _as_saved(response: Response) -> ResponseEntry:
    items = {} if response.not_done_reason else {item.item: item for item in response.items.all()}
    return ResponseEntry(
        participant=response.participant,
        instrument=response.instrument.key,
        items={name: item.value for name, item in items.items()},
        missing={name: item.missing_reason for name, item in items.items() if item.missing_reason},
        completed_at=response.completed_at,
        visit=response.visit,
        day=response.day,
        minute=response.minute,
        respondent=response.respondent,
        source=response.source,
        status=response.status if response.not_done_reason else "",
        not_done_reason=response.not_done_reason,
        proxy=response.proxy,
    )


def _wording_version(version: InstrumentVersion, language: str) -> str:
    """The wording of a language that is in use; none where it was read from elsewhere, or as numbers and labels."""
    loaded = InstrumentWording.objects.filter(instrument=version, language=language)
    return loaded.order_by("-pk").values_list("version", flat=True).first() or ""


def _store(response: Response, changed: Mapping[str, Any]) -> None:
    for name, value in changed.items():
        setattr(response, name, value)
    fields = list(changed)
    if "completed_at" in changed:
        entry = _as_saved(response)
        response.days_late = None if entry.not_done else entry.days_late
        fields.append("days_late")
    response.save(update_fields=fields)
    if "completed_at" in changed:
        instrument = load_instrument(response.instrument.key, response.instrument.version)
        alerts.raise_alerts(alerts_of_changes([response.participant], instrument), at=moment())
