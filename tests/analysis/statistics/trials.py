"""Published trials and example data as tables, shaped as the reference programs had them."""

from functools import cache
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parents[2] / "data" / "trials"
ASHAR_ARMS = {1: "PRT", 2: "placebo", 3: "usual_care"}


def _read(file: str, **options) -> pd.DataFrame:
    return pd.read_csv(FOLDER / file, na_values=["NaN", "<undefined>"], **options)


@cache
def fev() -> pd.DataFrame:
    return _read("mmrm_fev_data.csv")


@cache
def vickers() -> pd.DataFrame:
    wide = _read("vickers2004_acupuncture_headache.csv", encoding="utf-8-sig")
    factors = {"sex": wide["sex"].astype(str), "migraine": wide["migraine"].astype(str)}
    return wide.assign(arm=wide["group"].map({0: "control", 1: "acupuncture"}), **factors)


@cache
def vickers_long() -> pd.DataFrame:
    long = vickers().melt(["id", "arm", "pk1"], ["pk2", "pk5"], var_name="month", value_name="pk")
    return long.assign(month=long["month"].map({"pk2": "M03", "pk5": "M12"}))


@cache
def ashar() -> pd.DataFrame:
    rows = _read("ashar2022_outcomes_demographics.csv")
    rows = rows[(rows["is_patient"] == 1) & rows["group"].notna()]
    return rows.assign(arm=rows["group"].map(ASHAR_ARMS), visit=rows["time"].map({1: "baseline", 2: "post"}))


@cache
def ashar_wide() -> pd.DataFrame:
    """One row a patient: every outcome at baseline and post."""
    table = ashar().pivot(index=["id", "arm"], columns="visit", values=ASHAR_OUTCOMES)
    outcomes, visits = (table.columns.get_level_values(level) for level in (0, 1))
    table.columns = [f"{name}_{visit.removesuffix('line')}" for name, visit in zip(outcomes, visits, strict=True)]
    return table.reset_index()


ASHAR_OUTCOMES = ["pain_avg", "bpi_intensity", "promis_dep", "tsk11"]


@cache
def reframed() -> pd.DataFrame:
    """RefraMED by month 1 to 12 (numbers), with PHQ-9 at month 0 beside each row."""
    rows = _read("reframed.csv")
    rows = rows.assign(month=pd.to_numeric(rows["month"], errors="coerce")).rename(columns={"hamd.b": "hamd_b"})
    baseline = rows[rows["month"] == 0].set_index("patient")["phq9"]
    months = rows[rows["month"].between(1, 12)]
    return months.astype({"month": int}).assign(phq9_b=lambda table: table["patient"].map(baseline))


@cache
def antidepressant() -> pd.DataFrame:
    return _read("rbmi_antidepressant_data.csv", dtype={"PATIENT": str, "VISIT": str})


@cache
def amitriptyline() -> pd.DataFrame:
    rows = _read("amitriptyline_hivsn_xoverPP.csv", lineterminator="\r")
    return rows.assign(reduction=rows["Time1"] - rows["Time3"])
