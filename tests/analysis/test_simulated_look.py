"""A simulated trial written down as a cut and looked at by the interim analysis: the same units, estimate, z and bound.

The oracle is the look itself, as it runs on a study's data (analysis/datasets, analysis/interim).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from analysis.datasets import load_trial
from analysis.interim.decision import decision
from analysis.interim.groups import by_arm
from analysis.interim.models import fitted
from analysis.statistics import simulation
from analysis.statistics.simulation import looks
from analysis.statistics.simulation.draws import Drawn, draw
from analysis.statistics.simulation.trial_model import STRATA, TrialModel
from studies.protocol import load
from tests.analysis.cut_folders import write_cut
from tests.analysis.kalm_cut import KALM, plan_of

SEED = 11


def rows_of(model: TrialModel, drawn: Drawn, trial: int, begins: date) -> tuple[dict[str, list[dict[str, Any]]], Any]:
    """One drawn trial as the rows of a cut, calendar day 0 being `begins`; and the arms."""
    protocol = load(KALM, source="test")
    rows: dict[str, list[dict[str, Any]]] = {
        "protocolversion": [{"id": 1, "version": "1.0", "source": KALM}],
        "site": [
            {"id": 100 + place, "code": site.code, "name": site.name, "time_zone": site.time_zone}
            for place, site in enumerate(protocol.sites)
        ],
        "instrumentversion": [{"id": 200, "key": "diary_daily", "name": "diary", "version": "1.0"}],
    }
    kinds = ("participant", "consent", "eligibilitydecision", "allocation", "infusion", "response", "responseitem")
    rows |= {kind: [] for kind in kinds}
    for place in range(model.participants):
        _participant(rows, model, drawn, (trial, place), begins)
    arms = pd.Series([model.arms[arm] for arm in drawn.arm[trial]], index=range(1000, 1000 + model.participants))
    return rows, arms.rename("arm")


def _participant(
    rows: dict[str, list[dict[str, Any]]], model: TrialModel, drawn: Drawn, at: tuple[int, int], begins: date
) -> None:
    key, site = 1000 + at[1], int(drawn.site[at])
    zone = ZoneInfo(rows["site"][site]["time_zone"])
    day0 = begins + timedelta(days=int(drawn.day0[at]))

    def moment(day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), zone).astimezone(UTC)

    rows["participant"].append(
        {"id": key, "identifier": f"KALM-{key}", "site_id": 100 + site, "status": "randomised", "sex": "F",
         "age_years": 50, "planned_infusion_on": day0}
    )  # fmt: skip
    signed = moment(day0 - timedelta(days=20), 9)
    rows["consent"].append({"id": key, "participant_id": key, "version": "1.0", "signed_at": signed})
    rows["eligibilitydecision"].append(
        {"id": key, "participant_id": key, "included": True, "decided_at": moment(day0, 7), "failed_criteria": "[]"}
    )
    strata = f'{{"site": "{model.sites[site]}", "pain_stratum": "{STRATA[drawn.stratum[at]]}"}}'
    rows["allocation"].append(
        {"id": key, "participant_id": key, "strata": strata, "kit_number": f"K{key}", "allocated_at": moment(day0, 8)}
    )
    rows["infusion"].append(
        {"id": key, "participant_id": key, "kit_number": f"K{key}", "started_at": moment(day0, 10),
         "delivered_percent": 100}
    )  # fmt: skip
    for day, value in zip(model.days, drawn.written[at], strict=True):
        if np.isfinite(value):
            on, number = day0 + timedelta(days=int(day)), len(rows["response"]) + 1
            rows["response"].append(
                {"id": number, "participant_id": key, "day": on, "instrument_id": 200, "status": "complete",
                 "completed_at": moment(on, 20), "entered_at": moment(on, 21)}
            )  # fmt: skip
            rows["responseitem"].append({"id": number, "response_id": number, "item": "average", "value": float(value)})


@pytest.mark.parametrize(("trial", "number"), [(0, 1), (1, 2), (2, 3)])
def test_a_simulated_look_finds_what_the_interim_analysis_finds_in_the_same_data(
    trial: int, number: int, tmp_path: Path
):
    protocol, plan = load(KALM, source="test"), plan_of()
    model = simulation.trial_model(protocol, simulation.scenario("default:0.25"))
    drawn = draw(model, seed=SEED, first=0, count=simulation.BLOCK)
    course = looks._Course(model, drawn)
    simulated = pd.DataFrame(course.run(), columns=simulation.columns(3)).iloc[trial]
    assert simulated["ended_at"] >= number
    # The plan's clinical cut-off is the day of the look; what came later is written down too, and must not count.
    planned = model.looks.planned[number - 1]
    cutoff, units = planned.clinical_cutoff, planned.information
    last = int(drawn.day0[trial].max()) + 40
    day = last if number == 3 else int(course.information.day_of(units)[trial])
    rows, arms = rows_of(model, drawn, trial, cutoff - timedelta(days=day))

    looked_at = load_trial(write_cut(tmp_path / "KALM-cut-1", rows, protocol), plan, look=number)
    groups = by_arm(looked_at, arms)
    primary = fitted(looked_at, groups, looked_at.plan.primary_model)
    earlier = [
        {"decision": {"estimable": True, "look": look, "z": simulated[f"z_{look}"],
                      "information": {"units": int(simulated[f"information_at_{look}"])}}}
        for look in range(1, number)
    ]  # fmt: skip
    decided = decision(looked_at, groups, primary, earlier, number)

    assert decided["information"]["units"] == simulated[f"information_at_{number}"]
    assert decided["z"] == pytest.approx(simulated[f"z_{number}"], abs=1e-7)
    assert decided["bound"] == pytest.approx(simulated[f"bound_{number}"], abs=1e-8)
    assert decided["crossed"] == (simulated["ended_at"] == number and simulated["rejected"] == 1)
    if number == 3:
        assert primary["effects"][0]["estimate"] == pytest.approx(simulated["estimate"], abs=1e-8)
    else:
        below = decided["futility"]["below"] if decided["futility"]["estimable"] else False
        assert below == (simulated[f"unlikely_{number}"] == 1)
    randomised = looked_at.people["RAND"].sum()
    assert randomised == simulated[f"participants_at_{number}"]
