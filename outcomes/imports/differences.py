"""What a file says otherwise than what was imported before. Arms are no part of it: the unblinded side has those."""

from __future__ import annotations

from collections.abc import Iterator

from outcomes.imports.mapping import TrialMapping
from outcomes.imports.refusals import Difference
from outcomes.imports.trial import ImportedParticipant, ImportedTrial
from outcomes.models import Response, ResponseItem, Score
from studies.models import Study

# participant, visit, instrument, score or item
Address = tuple[str, str, str, str]


def differences(study: Study, mapping: TrialMapping, trial: ImportedTrial) -> list[Difference]:
    """Every fact and value that is stored otherwise than the file has it, in the order of the file's rows."""
    found = [*_people(study, mapping, trial), *_values(study, trial)]
    return sorted(found, key=lambda difference: (difference.row == 0, difference.row))


def _people(study: Study, mapping: TrialMapping, trial: ImportedTrial) -> Iterator[Difference]:
    columns = mapping.participant
    rows = study.participants.values_list("identifier", "site__code", "sex", "age_years")
    stored = {identifier: (site, sex, age) for identifier, site, sex, age in rows}
    given = {person.identifier: person for person in trial.participants}
    for identifier in sorted(stored.keys() - given.keys()):
        yield Difference(0, columns.identifier, "participant", identifier, "")
    for identifier, person in given.items():
        if identifier not in stored:
            yield Difference(person.row, columns.identifier, "participant", "", identifier)
            continue
        named = (columns.site.column if columns.site else "site"), (columns.sex.column if columns.sex else "sex")
        facts = zip((*named, columns.age_years or "age"), stored[identifier], _facts(person), strict=True)
        for column, old, new in facts:
            if old != new:
                yield Difference(person.row, column, identifier, _text(old), _text(new))


def _facts(person: ImportedParticipant) -> tuple[str, str, int | None]:
    return person.site, person.sex, person.age_years


def _values(study: Study, trial: ImportedTrial) -> Iterator[Difference]:
    stored = dict(_stored_values(study))
    known = set(study.participants.values_list("identifier", flat=True))
    for answers in trial.answers:
        # Who is new is one difference, not one a cell.
        for each in answers.values if answers.participant in known else ():
            old, _ = stored.pop((answers.participant, answers.visit, answers.instrument, each.name), (None, ""))
            if old != each.value:
                about = f"{answers.participant} at {answers.visit}"
                yield Difference(each.row, each.column, about, _text(old), _text(each.value))
    given = {person.identifier for person in trial.participants}
    for (participant, visit, instrument, name), (old, column) in stored.items():
        if old is not None and participant in given:
            yield Difference(0, column or f"{instrument} {name}", f"{participant} at {visit}", _text(old), "")


def _stored_values(study: Study) -> Iterator[tuple[Address, tuple[float | None, str]]]:
    """Imported scores and items of a study, with the column that a score came from."""
    scores = Score.objects.filter(participant__study=study, imported=True)
    path = ("response__participant__identifier", "response__visit__code", "response__instrument__key")
    for *address, name, number, column in scores.values_list(*path, "name", "number", "source_column"):
        yield (*address, name), (number, column)
    items = ResponseItem.objects.filter(response__participant__study=study, response__source=Response.Source.IMPORT)
    for *address, item, value in items.values_list(*path, "item", "value"):
        yield (*address, item), (value, "")


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.15g}"
