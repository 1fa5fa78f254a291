"""The participant-level analysis data set, one row a participant (as ADaM's ADSL): populations, dates, strata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets.cut_tables import Cut
from analysis.datasets.trial import Trial

# Column -> label. Strata follow as STR_ and the factor; arms only in the unblinded one.
LABELS = {
    "STUDYID": "Study",
    "USUBJID": "Unique participant identifier",
    "SUBJID": "Participant identifier",
    "SITEID": "Site",
    "AGE": "Age at consent, years",
    "SEX": "Sex",
    "ENRLDT": "Date of consent",
    "RANDDT": "Date of randomisation",
    "TRTSDT": "Date of infusion",
    "DLVPCT": "Planned volume delivered, %",
    "EOSSTT": "State at the data date",
    "EOSDT": "Date of the end of participation",
    "DCSREAS": "Reason for the end of participation",
    "MAJDVFL": "Major deviation by the data date",
    "ITTFL": "Intention to treat: all randomised (RAND)",
    "MITTFL": "Modified intention to treat: full analysis set (FAS)",
    "PPROTFL": "Per protocol (PP)",
    "SAFFL": "Safety: any infusion started (SAF)",
    "TRT01P": "Arm allocated",
    "TRT01A": "Arm received",
    "SRCDOM": "Table of the source row",
    "SRCSEQ": "Key of the source row",
    "SRCCHG": "Change number of the source row",
    "ALLOCSEQ": "Key of the allocation",
    "ALLOCCHG": "Change number of the allocation",
    "INFSEQ": "Key of the infusion",
    "INFCHG": "Change number of the infusion",
}
_FLAGS = {"ITTFL": "RAND", "MITTFL": "FAS", "PPROTFL": "PP", "SAFFL": "SAF", "MAJDVFL": "major_deviation"}


def participant_level(trial: Trial, arms: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row for everybody screened, in the order of identifiers.

    arms: by participant key the columns TRT01P and TRT01A, on the unblinded side only. Flags are Y or N.
    """
    people, study = trial.people, trial.cut.study
    frame = pd.DataFrame(
        {
            "STUDYID": study,
            "USUBJID": study + "-" + people["identifier"].astype(str),
            "SUBJID": people["identifier"],
            "SITEID": people["site"],
            "AGE": people["age_years"],
            "SEX": people["sex"],
            "ENRLDT": people["screened_on"],
            "RANDDT": people["randomised_on"],
            "TRTSDT": people["infusion_on"],
            "DLVPCT": people["delivered_percent"],
            "EOSSTT": people["status"],
            "EOSDT": _ended(trial),
            "DCSREAS": people["end_reason"].where(people["status"].eq("withdrawn")),
            **{flag: np.where(people[name], "Y", "N") for flag, name in _FLAGS.items()},
        },
        index=people.index,
    )
    if arms is not None:
        frame = frame.join(arms[["TRT01P", "TRT01A"]])
    strata = trial.strata.add_prefix("STR_").rename(columns=str.upper)
    return frame.join(strata).join(_sources(trial.cut, people.index)).reset_index(drop=True)


def _ended(trial: Trial) -> pd.Series[Any]:
    ended = trial.cut.rows("participant", ["id", "ended_on"]).set_index("id")["ended_on"].reindex(trial.people.index)
    return ended.where(trial.people["status"].isin(("withdrawn", "completed")))


def _sources(cut: Cut, people: pd.Index[Any]) -> pd.DataFrame:
    """The rows of the cut that a participant's row comes from."""
    participant = cut.rows("participant", ["id", "change_no"]).set_index("id")["change_no"].reindex(people)
    frame = pd.DataFrame(
        {"SRCDOM": "participant", "SRCSEQ": people, "SRCCHG": participant.astype("Int64")}, index=people
    )
    for kind, prefix in (("allocation", "ALLOC"), ("infusion", "INF")):
        key = "participant_id" if kind == "allocation" else "id"
        rows = cut.rows(kind, list(dict.fromkeys([key, "participant_id", "change_no"])))
        rows = rows.drop_duplicates("participant_id").set_index("participant_id", drop=False)
        frame[f"{prefix}SEQ"] = rows[key].reindex(people).astype("Int64")
        frame[f"{prefix}CHG"] = rows["change_no"].reindex(people).astype("Int64")
    return frame
