"""Arithmetic worked out apart from us: infusions, QST, exposure, response, scores, and the model's truths."""

from decimal import Decimal
from math import sqrt
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.interim.responders import improvement_percent
from analysis.simulation.latent import drug_effect
from analysis.simulation.parameters import DIMENSIONS, load_parameters
from analysis.statistics import blinding, dissociation, pharmacokinetics
from outcomes.qst import PARAMETERS, aggregate, composite, conditioned_pain_modulation, z_score
from outcomes.scoring import score
from studies.protocol.design import Regimen
from studies.protocol.infusion_arithmetic import (
    Segment,
    delivered_volume_ml,
    dose_in_volume_mg,
    dose_mg,
    percent_of_plan,
    rate_of_volume_ml_h,
    round_to_step,
    volume_of_dose_ml,
)
from tests.outcomes.qst.oracle import PERSON, session_readings
from tests.validation.reference import Book, Entry, Measure

_HAND = "worked out apart from the code"
PUMP = Measure("infusion_arithmetic", "dose, volume, pump rate", _HAND)
DELIVERED = Measure("infusion_arithmetic", "delivered volume, dose, percentage", _HAND)
JAMES = Measure("blinding.james", "worked examples", _HAND)
BANG = Measure("blinding.bang", "worked examples", _HAND)
EXPOSURE = Measure("pharmacokinetics.noncompartmental", "three profiles", _HAND)
QST = Measure("outcomes.qst", "values, scales, z-scores and composite of a session", _HAND)
CPM = Measure("outcomes.qst", "conditioned pain modulation", _HAND)
DAYS_IN_RESPONSE = Measure("dissociation.time_in_response", "days in response", _HAND)
RESPONSE = Measure("interim.responders", "percentage better, response at 30 and 50 %", _HAND)
TRUTH = Measure("simulation", "latent effects, contrasts, mediated effects", _HAND)
SCORES = Measure("outcomes.scoring", "scores of questionnaires", _HAND)
CLOSE = 1e-6


def arithmetic() -> Book:
    """domain_arithmetic.json."""
    book = Book(
        "domain_arithmetic.json",
        inputs=(
            "schema_version", "tolerance", "pump/*/inputs/*", "delivered/*/segments*", "delivered/*/conc_mg_per_ml",
            "delivered/*/planned_mg", "blinding_index/*/counts/*", "pk_nca/*/times_h/*", "pk_nca/*/conc_ng_ml/*",
            "pk_nca/*/lloq", "pk_nca/*/infusion_h", "pk_nca/*/dose_mg", "qst/*/raw/*", "qst/*/reference/*",
            "qst/*/baseline_c", "cpm/*/before/*", "cpm/*/during/*", "time_in_response/*/days/*",
            "time_in_response/*/end_day", "time_in_response/*/*_response/*", "responder/*/rows/*/baseline",
            "responder/*/rows/*/week4", "simulation_truth_latent/e_and_half_life_days/*",
        ),
        left_out={"simulation_truth_continuous_mode/values/*": "found again by simulation, in that section"},
    )  # fmt: skip
    for part in (_pump, _delivered, _blinding, _exposure, _qst, _modulation, _days, _responders, _truths):
        part(book)
    return book


def _exact(value: float) -> Decimal:
    return Decimal(str(value))


def _pump(book: Book) -> None:
    for case in book["pump"]:
        given = case.value["inputs"]
        concentration = _exact(given["conc_mg_per_ml"])
        doses = {name: _exact(given[name]) for name in ("fixed_dose_mg", "dose_mg_per_kg") if name in given}
        regimen = Regimen(drug="test", concentration_mg_per_ml=concentration, **doses)
        dose = dose_mg(regimen, _exact(given.get("weight_kg", 70)))
        volume = volume_of_dose_ml(dose, concentration)
        rate = rate_of_volume_ml_h(volume, given["minutes"])
        rounded = round_to_step(rate, Decimal("0.1"))
        names = ("dose_mg", "volume_ml", "rate_ml_h", "rate_set_ml_h")
        for name, found in zip(names, (dose, volume, rate, rounded), strict=True):
            case["expected"][name].check(PUMP, found, abs=CLOSE)


def _delivered(book: Book) -> None:
    for case in book["delivered"]:
        concentration = _exact(case.value["conc_mg_per_ml"])
        rows = case.value["segments_min_start_end_ml_h"]
        volume = delivered_volume_ml([Segment(*(_exact(part) for part in row)) for row in rows])
        percent = percent_of_plan(volume, volume_of_dose_ml(_exact(case.value["planned_mg"]), concentration))
        found = (volume, dose_in_volume_mg(volume, concentration), percent)
        for name, value in zip(("volume_ml", "dose_mg", "percent_of_planned"), found, strict=True):
            case["expected"][name].check(DELIVERED, value, abs=CLOSE)


def _blinding(book: Book) -> None:
    for case in book["blinding_index"]:
        james, bang = blinding.james(case.value["counts"]), blinding.bang(case.value["counts"])
        told: dict[str, tuple[Measure, Any]] = {
            "james": (JAMES, james.estimate),
            "james_se": (JAMES, james.se),
            "james_ci95": (JAMES, (james.lower, james.upper)),
            "bang_ket": (BANG, bang.treatment.estimate),
            "bang_ket_se": (BANG, bang.treatment.se),
            "bang_control": (BANG, bang.control.estimate),
            "bang_control_se": (BANG, bang.control.se),
        }
        for name in case["expected"].value:
            measure, found = told[name]
            case["expected"][name].check(measure, found, abs=CLOSE)


_EXPOSURE_FIELDS = {
    "cmax": "cmax", "tmax_h": "tmax", "tlast_h": "tlast", "auc_last": "auc_last", "lambda_z": "lambda_z",
    "n_lambda_points": "terminal_points", "adj_r2": "adjusted_r_squared", "t_half_h": "half_life",
    "auc_inf": "auc_inf", "auc_extrap_percent": "extrapolated", "cl_l_per_h": "clearance", "mrt_h": "mrt",
}  # fmt: skip


def _exposure(book: Book) -> None:
    for case in book["pk_nca"]:
        given = case.value
        found = pharmacokinetics.noncompartmental(
            given["times_h"],
            given["conc_ng_ml"],
            lloq=given["lloq"],
            dose_mg=given.get("dose_mg"),
            infusion_h=given.get("infusion_h"),
        )
        for name in case["expected"].value:
            case["expected"][name].check(EXPOSURE, getattr(found, _EXPOSURE_FIELDS[name]), abs=CLOSE)


def _qst(book: Book) -> None:
    for case in book["qst"]:
        session, expected = aggregate(session_readings()), case["expected"]
        z: dict[str, float | None] = {}
        for code in expected["value"].value:
            if code == "DMA_positive":
                expected["value"][code].check(QST, session["DMA"].present or False, abs=0)
            else:
                expected["value"][code].check(QST, session[code].value, abs=CLOSE)
        for code in expected["z"].value:
            value = session[code].value or 0.0
            expected["transformed"][code].check(QST, PARAMETERS[code].transformed(value), abs=CLOSE)
            z[code] = z_score(code, value, **PERSON).z
            expected["z"][code].check(QST, z[code], abs=CLOSE)
        # Printed to five decimals.
        expected["qst_composite"].check(QST, composite(z), abs=1e-5)


def _modulation(book: Book) -> None:
    for case in book["cpm"]:
        measure: Literal["threshold", "rating"] = "rating" if "NRS" in case.value["test"] else "threshold"
        found = conditioned_pain_modulation(case.value["before"], case.value["during"], measure=measure)
        names = ("before", "conditioned", "raw_change", "cpm_effect", "cpm_percent")
        values = (found.before, found.conditioned, found.raw_change, found.effect, found.percent)
        for name, value in zip(names, values, strict=True):
            case["expected"][name].check(CPM, value, abs=CLOSE)


def _days(book: Book) -> None:
    for case in book["time_in_response"]:
        rows = [
            {"subject": 1, "arm": "KET", "dimension": dimension, "day": day, "improvement": float(response)}
            for dimension in ("nrs", "qst")
            for day, response in zip(case.value["days"], case.value[f"{dimension}_response"], strict=True)
        ]
        table = dissociation.time_in_response(pd.DataFrame(rows), end_day=case.value["end_day"])
        days = table.set_index("dimension")["days"]
        for name in ("nrs", "qst"):
            case["expected"][name].check(DAYS_IN_RESPONSE, days[name], abs=CLOSE)
        case["expected"]["difference"].check(DAYS_IN_RESPONSE, days["nrs"] - days["qst"], abs=CLOSE)


def _responders(book: Book) -> None:
    endpoint: Any = SimpleNamespace(baseline=SimpleNamespace(code="baseline"), better="lower")
    for case in book["responder"]:
        frame = pd.DataFrame([{name: row[name] for name in ("baseline", "week4")} for row in case.value["rows"]])
        trial: Any = SimpleNamespace(values=lambda _endpoint, frame=frame: frame.astype(float))
        percents = improvement_percent(trial, endpoint)["week4"]
        for row, percent in zip(case["rows"], percents, strict=True):
            row["expected"]["percent"].check(RESPONSE, percent, abs=CLOSE)
            for name, least in (("r30", 30), ("r50", 50)):
                row["expected"][name].check(RESPONSE, bool(percent >= least - 1e-9), abs=0)


def _truths(book: Book) -> None:
    parameters, latent = load_parameters(), book["simulation_truth_latent"]
    scale = sqrt(1 + parameters.latent.site_sd**2)
    pain = parameters.continuous["nrs"].slope

    def effect(dimension: Any, day: str) -> float:
        at = drug_effect(np.array([float(day)]), parameters.latent)
        return float(at[0, DIMENSIONS.index(dimension)])

    for dimension in latent["effect"].value:
        for day in latent["effect"][dimension].value:
            latent["effect"][dimension][day].check(TRUTH, effect(dimension, day), abs=CLOSE)
    for day in latent["nrs_points"].value:
        latent["nrs_points"][day].check(TRUTH, pain * effect("S", day), abs=CLOSE)
    for day in latent["dissociation_contrast"].value:
        latent["dissociation_contrast"][day].check(TRUTH, effect("S", day) - effect("Q", day), abs=CLOSE)
    lives = parameters.latent.effect
    latent["half_life_ratio_S_over_Q"].check(TRUTH, lives["S"].half_life / lives["Q"].half_life, abs=CLOSE)
    observed = book["simulation_truth_continuous_mode"]["i_scale"]
    observed["divide_latent_by"].check(TRUTH, scale, abs=CLOSE)
    for day in observed["C"].value:
        # Rounded twice: the file divides effects that it had rounded.
        observed["C"][day].check(TRUTH, (effect("S", day) - effect("Q", day)) / scale, abs=2 * CLOSE)
    _mediated_truth(latent["mediation"])


def _mediated_truth(expected: Entry) -> None:
    law = load_parameters("mediation").mediation
    a, b = law.effect_on, law.mediator_slope
    dimensions: tuple[Any, Any] = ("A", "Q")
    indirect = {name: a[name] * b[name] for name in dimensions}
    found = {"c_prime": law.direct, "total": law.direct + sum(indirect.values())}
    found |= {f"{leg}_{name}": values[name] for leg, values in (("a", a), ("b", b)) for name in indirect}
    found |= {f"indirect_{name}": value for name, value in indirect.items()}
    found["difference"] = indirect["A"] - indirect["Q"]
    for name in expected.value:
        expected[name].check(TRUTH, found[name], abs=CLOSE)


def questionnaires() -> Book:
    """instrument_scoring.json."""
    book = Book("instrument_scoring.json", inputs=("schema_version", "tolerance", "cases/*/items/*"))
    for case in book.entries():
        found = score(case.value["instrument"], case.value["items"]).values
        for name, value in case.value["expected"].items():
            if isinstance(value, int | float | list):
                case["expected"][name].check(SCORES, found[name], abs=1e-5)
    return book
