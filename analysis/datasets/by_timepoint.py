"""The analysis data set with one row a participant, parameter and timepoint (as ADaM's BDS), each with its sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.datasets.endpoints import endpoint_records, values_from
from analysis.datasets.participant_level import LABELS as PARTICIPANT_LABELS
from analysis.datasets.trial import Trial
from studies.protocol.analysis_plan import Endpoint

LABELS = {
    **{name: PARTICIPANT_LABELS[name] for name in ("STUDYID", "USUBJID", "SITEID", "TRT01P", "TRT01A")},
    "PARAMCD": "Parameter: endpoint of the plan",
    "PARAM": "Parameter in words",
    "AVISIT": "Timepoint of the plan",
    "AVISITN": "Order of the timepoint",
    "ADT": "Last day the value rests on",
    "AVAL": "Analysis value",
    "BASE": "Baseline value",
    "CHG": "Change from baseline",
    "PCHG": "Change from baseline, %",
    "ABLFL": "Baseline record",
    "DTYPE": "AVERAGE where the value is a mean of several source rows",
    "NSRC": "Number of source rows",
    "ANL01FL": "In the primary analysis set",
    "SRCDOM": "Table of the source rows",
    "SRCSEQ": "Keys of the source rows, in the order of their days",
    "SRCCHG": "Change numbers of the source rows, in the same order",
}
_ORDER = list(LABELS)


def by_timepoint(trial: Trial, arms: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every endpoint's values, in the order of the plan, of identifiers and of timepoints.

    A row for each participant and timepoint that has a source row; AVAL is missing where there are too few diary
    days. arms: as for `participant_level`.
    """
    parts = [_endpoint(trial, endpoint) for endpoint in trial.plan.endpoints if _is_measured(endpoint)]
    frame = pd.concat(parts, ignore_index=True)
    people = trial.people
    key = frame.pop("participant_id")
    chosen = trial.plan.primary_model.population
    in_set = people[chosen] if chosen in people.columns else people["RAND"]
    identifiers = key.map(people["identifier"]).astype(str)
    frame = frame.assign(
        STUDYID=trial.cut.study,
        USUBJID=trial.cut.study + "-" + identifiers,
        SITEID=key.map(people["site"]),
        ANL01FL=np.where(key.map(in_set).astype(bool), "Y", "N"),
    )
    if arms is not None:
        frame = frame.assign(TRT01P=key.map(arms["TRT01P"]), TRT01A=key.map(arms["TRT01A"]))
    return frame[[name for name in _ORDER if name in frame.columns]]


def _is_measured(endpoint: Endpoint) -> bool:
    """Contrasts and losses are drawn from values that another endpoint holds."""
    return endpoint.type in ("change", "level", "responder")


def _endpoint(trial: Trial, endpoint: Endpoint) -> pd.DataFrame:
    records = endpoint_records(trial.cut, trial.people, endpoint, until=trial.until)
    long = values_from(records, trial.people, endpoint)
    base = long[long["timepoint"] == endpoint.baseline.code].set_index("participant_id")["value"]
    keys = ["participant_id", "timepoint"]
    rows = _sources(records).join(long.set_index(keys)["value"], on=keys)
    order = {each.code: place for place, each in enumerate((endpoint.baseline, *endpoint.timepoints))}
    rows["AVISITN"] = rows["timepoint"].map(order).astype("int64")
    rank = pd.Series(range(len(trial.people)), index=trial.people.index)
    rows = rows.assign(rank=rows["participant_id"].map(rank)).sort_values(["rank", "AVISITN"], kind="stable")
    at_baseline = rows["timepoint"].eq(endpoint.baseline.code)
    before = rows["participant_id"].map(base)
    change = (rows["value"] - before).mask(at_baseline)
    return pd.DataFrame(
        {
            "participant_id": rows["participant_id"],
            "PARAMCD": endpoint.id,
            "PARAM": endpoint.label,
            "AVISIT": rows["timepoint"],
            "AVISITN": rows["AVISITN"],
            "ADT": rows["on"],
            "AVAL": rows["value"],
            "BASE": before,
            "CHG": change,
            "PCHG": 100 * change / before.where(before != 0),
            "ABLFL": np.where(at_baseline, "Y", ""),
            "DTYPE": np.where(rows["NSRC"] > 1, "AVERAGE", ""),
            **{name: rows[name] for name in ("NSRC", "SRCDOM", "SRCSEQ", "SRCCHG")},
        }
    )


def _sources(records: pd.DataFrame) -> pd.DataFrame:
    """participant_id, timepoint, on, NSRC and the joined keys and change numbers of the source rows."""
    ordered = records.sort_values(["participant_id", "timepoint", "on"], kind="stable").reset_index(drop=True)
    first = np.flatnonzero(~ordered.duplicated(["participant_id", "timepoint"]).to_numpy())
    last = np.append(first[1:], len(ordered))[: len(first)]
    begins = ordered.iloc[first].reset_index(drop=True)
    return pd.DataFrame(
        {
            "participant_id": begins["participant_id"],
            "timepoint": begins["timepoint"],
            # Sorted by day: the last row of a value is its last day.
            "on": ordered["on"].to_numpy()[last - 1],
            "NSRC": last - first,
            "SRCDOM": begins["table"],
            "SRCSEQ": _joined(ordered["record"], first, last),
            "SRCCHG": _joined(ordered["change_no"], first, last),
        }
    )


def _joined(numbers: pd.Series[Any], first: NDArray[np.intp], last: NDArray[np.intp]) -> pd.Series[str]:
    """The numbers of every group of rows as one text, "12;13;14"."""
    texts = numbers.astype("Int64").astype(str).fillna("").to_list()
    joined = [";".join(texts[begin:end]) for begin, end in zip(first, last, strict=True)]
    return pd.Series(joined, dtype="str")
