"""Questionnaire responses: entering them, and correcting them with a reason.

Scores are computed here, never typed. How a form was taken is corrected in outcomes/circumstances.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from outcomes import instrument_versions
from outcomes.arm_revealing import tells
from outcomes.earlier_forms import alerts_of_changes
from outcomes.models import Response, ResponseItem, Score
from outcomes.response_entry import MISSING_REASONS, NOT_IN_SOURCE, ResponseEntry, Status
from outcomes.response_findings import findings_of_entry
from outcomes.response_rows import AlreadySaved, insert, row_of, score_row
from outcomes.scoring import load_instrument
from studies import alerts, findings, infusions
from studies.acting import Actor, moment, verb
from studies.consents import require_collection
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Infusion, Participant, User
from studies.permissions import may_enter_response, may_run_infusion, require

__all__ = [
    "MISSING_REASONS",
    "NOT_IN_SOURCE",
    "ResponseEntry",
    "change_answers",
    "correct_response",
    "enter",
    "insert_imported",
    "replace_scores",
    "save_response",
    "save_responses",
    "score_row",
]


@verb(because="form entered")
def save_response(user: User, *, entry: ResponseEntry) -> Response:
    """Save one form with its scores, findings and alerts.

    Raises NotAllowed; ConsentMissing; AlreadyDone if the form was saved before; InvalidEntries naming every
    item that cannot be saved as it is. Alerts are raised also for a form that is not complete.
    """
    require_collection(entry.participant, entry.instrument)
    return _save(user, [entry])[0]


@verb(because="forms entered")
def save_responses(user: User, *, entries: Sequence[ResponseEntry]) -> list[int]:
    """Save many forms, all or none; their keys in the order given. The checks are those of one form."""
    asked: dict[Participant, set[str]] = {}
    for entry in entries:
        asked.setdefault(entry.participant, set()).add(entry.instrument)
    for participant, instruments in asked.items():
        require_collection(participant, *sorted(instruments))
    return [saved.pk for saved in _save(user, entries)]


def _save(user: User, entries: Sequence[ResponseEntry]) -> list[Response]:
    versions = instrument_versions.current({entry.instrument for entry in entries})
    for entry in entries:
        version = versions[entry.instrument]
        require(
            may_enter_response(user, entry.participant.site, arm_revealing=tells(entry.participant, version)),
            f"enter {version.name} at site {entry.participant.site.code}",
        )
    return enter(user, entries)


def enter(
    who: Actor, entries: Sequence[ResponseEntry], *, told: Collection[str] = (), finished: bool = True
) -> list[Response]:
    """Write forms, scored, with findings and alerts; whether `who` may was asked before, consent too.

    told: codes of alerts that were raised while the form was being filled in; they are not raised once more.
    finished: False for a form that was never sent off: it is partial whatever was answered.
    Raises AlreadyDone, InvalidEntries.
    """
    versions = instrument_versions.current({entry.instrument for entry in entries})
    rows = [row_of(entry, versions[entry.instrument], load_instrument(entry.instrument)) for entry in entries]
    if not finished:
        rows = [row | {"status": Status.PARTIAL} for row in rows]
    try:
        saved = insert(rows)
    except AlreadySaved as error:
        raise AlreadyDone("This form has already been saved. Open it to correct it.") from error
    for row, entry, response in zip(rows, entries, saved, strict=True):
        row["id"] = response.pk
        response.participant, response.visit, response.instrument = (
            entry.participant,
            entry.visit,
            versions[entry.instrument],
        )
    _tell(who, entries, rows, told)
    return saved


def insert_imported(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Insert responses that an importer has checked and scored itself. Raises AlreadyDone if one exists."""
    try:
        return [saved.pk for saved in insert(rows)]
    except AlreadySaved as error:
        raise AlreadyDone("One of these responses has already been imported.") from error


def _tell(
    who: Actor,
    entries: Sequence[ResponseEntry],
    rows: Sequence[Mapping[str, Any]],
    told: Collection[str] = (),
) -> None:
    """Hand findings up to conduct and raise the alerts that the answers call for."""
    new_findings: list[findings.NewFinding] = []
    new_alerts: list[alerts.NewAlert] = []
    for entry, row in zip(entries, rows, strict=True):
        if row["scored"] is None:
            continue
        new_findings += findings_of_entry(entry, row["id"], row["scored"].values)
        codes = [code for code in row["scored"].alerts if code not in told]
        new_alerts += [alerts.NewAlert(entry.participant, code, "response", row["id"]) for code in codes]
    just_told = {(code, row["id"]) for row in rows for code in told}
    new_alerts += [
        alert
        for alert in _of_changes(rows, (entry.participant for entry in entries))
        if (alert.code, alert.source_record) not in just_told
    ]
    if new_findings:
        findings.note(new_findings)
    if new_alerts:
        alerts.raise_alerts(new_alerts, at=moment())
    on_the_clock = {finding.participant_id for finding in new_findings if finding.minute is not None}
    if on_the_clock and isinstance(who, User):
        _look_at_the_rules(who, on_the_clock)


def _of_changes(rows: Sequence[Mapping[str, Any]], people: Iterable[Participant]) -> Iterator[alerts.NewAlert]:
    """Alerts on a change from an earlier form: of the forms just saved, and of those that follow them."""
    asked = {person.pk: person for person in people}
    files = {row["file"].sha256: row["file"] for row in rows if row["file"].changes}
    for instrument in files.values():
        concerned = {row["participant"] for row in rows if row["file"].key == instrument.key}
        yield from alerts_of_changes([asked[key] for key in concerned], instrument)


def _look_at_the_rules(user: User, on_the_clock: set[int]) -> None:
    """A side-effect score of the infusion day may fire a safety rule."""
    for infusion in Infusion.objects.filter(participant__in=on_the_clock).select_related(
        "participant__site", "participant__protocol_version", "visit"
    ):
        if may_run_infusion(user, infusion.participant.site):
            infusions.check_rules(user, infusion=infusion)


@verb(because="form corrected")
def correct_response(
    user: User,
    *,
    response: Response,
    items: Mapping[str, float | None],
    reason: str,
    missing: Mapping[str, str] | None = None,
) -> Response:
    """Change answers of a saved form and compute its scores anew. The old answers stay in the audit trail.

    items: only those that change. Raises NotAllowed, InvalidEntry without a reason, InvalidEntries.
    """
    require(
        may_enter_response(
            user, response.participant.site, arm_revealing=tells(response.participant, response.instrument)
        ),
        f"correct {response.instrument.name} here",
    )
    return change_answers(user, response=response, items=items, reason=reason, missing=missing)


def change_answers(
    user: User,
    *,
    response: Response,
    items: Mapping[str, float | None],
    reason: str,
    missing: Mapping[str, str] | None = None,
) -> Response:
    """What `correct_response` does, for a verb that has asked before whether the person may."""
    instrument = load_instrument(response.instrument.key, response.instrument.version)
    if not reason.strip():
        raise InvalidEntry("Give the reason for the change.", field="reason")
    if response.scores.filter(imported=True).exists():
        raise InvalidEntry("This form came as scores, without its answers: an imported score is never rescored.")
    if response.source == Response.Source.PARTICIPANT:
        raise InvalidEntry("A participant's own answers are not changed: put a note beside them.")
    saved = {item.item: item for item in response.items.select_for_update()}
    entry = _as_it_will_stand(response, saved, items, missing or {})
    row = row_of(entry, response.instrument, instrument) | {"id": response.pk}
    _update_items(response, saved, row["items"])
    if response.status != row["status"]:
        response.status, response.not_done_reason = row["status"], ""
        response.save(update_fields=["status", "not_done_reason"])
    replace_scores(response, row["scores"])
    _tell(user, [entry], [row])
    return response


def _as_it_will_stand(
    response: Response,
    saved: Mapping[str, ResponseItem],
    items: Mapping[str, float | None],
    missing: Mapping[str, str],
) -> ResponseEntry:
    """A saved form with some of its answers changed; an item answered now has no reason to be open any more."""
    open_still = {
        name: item.missing_reason
        for name, item in saved.items()
        if item.missing_reason and items.get(name, item.value) is None
    }
    return ResponseEntry(
        participant=response.participant,
        instrument=response.instrument.key,
        items={**{name: item.value for name, item in saved.items()}, **items},
        missing={**open_still, **missing},
        completed_at=response.completed_at,
        visit=response.visit,
        day=response.day,
        minute=response.minute,
        respondent=response.respondent,
        source=response.source,
        proxy=response.proxy,
    )


def _update_items(response: Response, saved: Mapping[str, ResponseItem], rows: Iterable[Mapping[str, Any]]) -> None:
    changed, new = [], []
    for row in rows:
        item = saved.get(row["item"])
        if item is None:
            new.append(ResponseItem(response=response, **row))
        elif (item.value, item.missing_reason) != (row["value"], row["missing_reason"]):
            item.value, item.missing_reason = row["value"], row["missing_reason"]
            changed.append(item)
    ResponseItem.objects.bulk_update(changed, ["value", "missing_reason"])
    ResponseItem.objects.bulk_create(new)


def replace_scores(response: Response, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the scores of a response anew, keeping the rows that have not changed; the trail has old and new."""
    instrument = load_instrument(response.instrument.key, response.instrument.version)
    Score.objects.bulk_create(
        [
            Score(
                response=response,
                participant_id=response.participant_id,
                scoring_version=instrument.scoring_version,
                **row,
            )
            for row in rows
        ],
        update_conflicts=True,
        unique_fields=["response", "name"],
        update_fields=["number", "text", "missing_reason", "scoring_version"],
    )
