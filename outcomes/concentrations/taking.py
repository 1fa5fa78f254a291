"""Taking a laboratory's file: all of it or nothing, the same file once, a stored value changed only with a reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from outcomes.concentrations.analytes import UNIT
from outcomes.concentrations.columns import Columns
from outcomes.concentrations.reading import LaboratoryFile, StoredSample, laboratory_files, read_samples
from outcomes.concentrations.rows import Sample, read_rows
from outcomes.imports.refusals import ImportRefused, Refusal
from studies import closed_door
from studies.acting import verb
from studies.errors import InvalidEntry
from studies.models import ClosedAccount, Infusion, Study
from studies.permissions import require

# A file's size is public (docs/adr/0015): what is stored is as long as the next of these.
_BLOCK = 1_048_576
_PRE_DOSE_SHARE = 0.05
_FAR_FROM_PLANNED = 30


@dataclass(frozen=True, slots=True)
class Query:
    """What was taken and should be asked about: the row, and the question."""

    row: int
    question: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file. file: what is on record of it; new: False if it had been taken before, and nothing was done.

    entered, corrected, known: results that were new, that replaced a stored one, that were stored alike already;
    below_limit: of those of the file; participants: whom it names.
    """

    file: LaboratoryFile
    new: bool
    entered: int = 0
    corrected: int = 0
    known: int = 0
    below_limit: int = 0
    participants: int = 0
    queries: tuple[Query, ...] = ()


@verb(because="concentrations taken")
def take_file(
    account: ClosedAccount,
    *,
    study: Study,
    content: bytes,
    name: str,
    laboratory: str,
    batch: str = "",
    columns: Columns | None = None,
    reason: str = "",
) -> Taken:
    """Store every result of a laboratory's CSV file (UTF-8, ng/mL, minutes from the start of the infusion).

    columns: what the columns are called; reason: why stored values change, where the file gives any otherwise.
    Raises NotAllowed; InvalidEntry without a laboratory; ImportRefused with every row that cannot be taken.
    """
    require(closed_door.may_take_concentrations(account, study), f"take concentrations of {study}")
    if not laboratory.strip():
        raise InvalidEntry("Say which laboratory measured.", field="laboratory")
    columns = columns or Columns()
    keys = _infused(study)
    table, samples = read_rows(content, name=name, columns=columns, known=keys)
    if before := _taken_before(account, study, table.sha256):
        return Taken(before, new=False)
    stored = _stored(account, study, keys)
    if refusals := list(_otherwise(samples, stored, columns, reason)):
        raise ImportRefused(name, refusals)
    changed = [each for each in samples if each.key not in stored or _differs(each, stored[each.key])]
    about = {"sha256": table.sha256, "name": name[:200], "laboratory": laboratory.strip()[:200]}
    about |= {"batch": batch.strip()[:100], "reason": reason.strip()[:500]}
    told = {**about, "columns": columns.names(), "length": len(content)}
    _store(study, told, content, [_row(each, keys, stored) for each in changed])
    file = _taken_before(account, study, table.sha256)
    if file is None:
        raise LookupError(f"The file {table.sha256} was stored and is not there.")
    return _taken(file, samples, corrected=sum(each.key in stored for each in changed), changed=len(changed))


def _taken(file: LaboratoryFile, samples: Sequence[Sample], *, corrected: int, changed: int) -> Taken:
    return Taken(
        file,
        new=True,
        entered=changed - corrected,
        corrected=corrected,
        known=len(samples) - changed,
        below_limit=sum(each.value is None for each in samples),
        participants=len({each.participant for each in samples}),
        queries=tuple(_queries(samples)),
    )


def _taken_before(account: ClosedAccount, study: Study, sha256: str) -> LaboratoryFile | None:
    return next((each for each in laboratory_files(account, study=study) if each.sha256 == sha256), None)


def _infused(study: Study) -> dict[str, int]:
    """Identifier -> key, of those whose infusion has started."""
    rows = Infusion.objects.filter(participant__study=study)
    return dict(rows.values_list("participant__identifier", "participant_id"))


def _stored(account: ClosedAccount, study: Study, keys: Mapping[str, int]) -> dict[tuple[str, str, int], StoredSample]:
    names = {key: identifier for identifier, key in keys.items()}
    found = read_samples(account, study=study, until=timezone.now(), purpose="comparison with a new file")
    return {(names[each.participant_id], each.analyte, each.nominal_minute): each for each in found}


def _otherwise(
    samples: Sequence[Sample], stored: Mapping[tuple[str, str, int], StoredSample], columns: Columns, reason: str
) -> Iterator[Refusal]:
    if reason.strip():
        return
    for sample in samples:
        before = stored.get(sample.key)
        if before is not None and _differs(sample, before):
            why = f"Another result is stored ({_told(before)}). Give the reason, and this one replaces it."
            yield Refusal(sample.row, columns.concentration, _told(sample), why)


def _differs(sample: Sample, stored: StoredSample) -> bool:
    return (sample.value, sample.lloq, sample.actual) != (stored.value, stored.lloq, stored.actual_minute)


def _told(sample: Sample | StoredSample) -> str:
    actual = sample.actual if isinstance(sample, Sample) else sample.actual_minute
    level = f"<{sample.lloq:g}" if sample.value is None else f"{sample.value:g}"
    return f"{level} at {actual:g} min"


def _row(
    sample: Sample, keys: Mapping[str, int], stored: Mapping[tuple[str, str, int], StoredSample]
) -> dict[str, object]:
    before = stored.get(sample.key)
    return {
        "row": sample.row,
        "participant": keys[sample.participant],
        "analyte": sample.analyte,
        "nominal": sample.nominal,
        "actual": sample.actual,
        "value": sample.value,
        "lloq": sample.lloq,
        "unit": UNIT,
        "repeat": 0 if before is None else before.repeat + 1,
    }


def _store(study: Study, about: Mapping[str, object], content: bytes, rows: list[dict[str, object]]) -> None:
    padding = os.urandom(-len(content) % _BLOCK)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT concealed.store_concentrations(%s, %s, %s, %s)",
            [study.pk, json.dumps(about), content + padding, json.dumps(rows)],
        )


def _queries(samples: Sequence[Sample]) -> Iterator[Query]:
    """A level before the infusion above 5 % of the peak after it; a sample far from its planned time."""
    peaks: dict[tuple[str, str], float] = {}
    for sample in samples:
        profile = sample.participant, sample.analyte
        if sample.nominal > 0 and sample.value is not None:
            peaks[profile] = max(peaks.get(profile, 0.0), sample.value)
    for sample in samples:
        peak = peaks.get((sample.participant, sample.analyte))
        if sample.nominal <= 0 and sample.value is not None and (peak is None or sample.value > _PRE_DOSE_SHARE * peak):
            told = "no peak after it" if peak is None else f"{100 * sample.value / peak:.0f} % of the peak"
            question = f"{sample.participant}: {sample.analyte} before the infusion, {told}. Are samples exchanged?"
            yield Query(sample.row, question)
        if abs(sample.actual - sample.nominal) > _FAR_FROM_PLANNED:
            question = f"{sample.participant}: taken {sample.actual:g} min, planned {sample.nominal} min. Is it right?"
            yield Query(sample.row, question)
