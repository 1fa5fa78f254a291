"""What the cut holds of a participant from before treatment, by the names that the protocol's findings have."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.datasets.endpoints import answers
from analysis.datasets.trial import Trial
from studies.protocol import ProtocolDefinition
from studies.protocol.baseline_findings import baseline_visits_of
from studies.protocol.eligibility import Finding
from studies.protocol.pain_classification import PainFindings, classify


def baseline_fact(trial: Trial, key: str) -> pd.Series[Any] | None:
    """The value of one finding by participant key, numbers or texts, missing where nobody found it.

    None for a name that is no finding of the protocol in the cut. A finding from an instrument is read from its
    answers, also of an imported study; of several visits before treatment the last one that has it counts. What the
    site entered, and summaries of the diary, are the findings themselves.
    """
    protocol = trial.protocol
    finding = next((each for each in protocol.findings if each.key == key), None) if protocol else None
    if protocol is None or finding is None:
        return None
    if finding.record is not None:
        return trial.people[finding.record.partition(".")[2]].replace("", None)
    if finding.derived is not None:
        return _classified(trial, key)
    if finding.instrument is not None and finding.diary is None:
        return _answered(trial, protocol, finding)
    return _noted(trial, [key])[key]


def _answered(trial: Trial, protocol: ProtocolDefinition, finding: Finding) -> pd.Series[Any]:
    visits = {code: place for place, code in enumerate(baseline_visits_of(finding, protocol.visits))}
    rows = answers(trial.cut, finding, str(finding.instrument), daily=False)
    rows = rows.assign(place=rows["visit"].map(visits)).dropna(subset=["place"])
    rows = rows.sort_values(["participant_id", "place", "completed_at", "value"], kind="stable")
    last = rows.drop_duplicates("participant_id", keep="last").set_index("participant_id")["value"]
    return last.reindex(trial.people.index)


def _noted(trial: Trial, keys: list[str]) -> pd.DataFrame:
    """Findings as they were noted: a column each. Who corrected one left its last value."""
    columns = ["id", "participant_id", "key", "number", "text", "changed_at"]
    rows = trial.cut.rows("finding", columns, where=[("key", "in", keys)])
    rows = rows.sort_values(["changed_at", "id"], kind="stable").drop_duplicates(["participant_id", "key"], keep="last")
    found = {}
    for key in keys:
        mine = rows[rows["key"] == key].set_index("participant_id")
        # A finding is a number or a text, and always the same of the two.
        value = mine["text"] if mine["text"].notna().any() else mine["number"]
        found[key] = value.reindex(trial.people.index)
    return pd.DataFrame(found, index=trial.people.index)


def _classified(trial: Trial, key: str) -> pd.Series[Any]:
    """A conclusion of the pain classification, drawn again from what was found."""
    found = _noted(trial, list(PainFindings.__dataclass_fields__))
    known = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in found.to_dict("records")
    ]
    return pd.Series([getattr(classify(PainFindings.of(row)), key) for row in known], index=found.index, dtype="object")
