"""What simulated trials say of a design: power or type-I error, stopping, expected size, with Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.estimate import Estimate
from analysis.statistics.simulation.looks import columns, simulate
from analysis.statistics.simulation.scenarios import Scenario, several
from analysis.statistics.simulation.trial_model import TrialModel, trial_model
from studies.protocol import ProtocolDefinition, load

FloatArray = NDArray[np.float64]
_NORMAL_975 = 1.959963984540054
_RATES = ("rejected", "power", "type_i_error")
_MEANS = ("expected_participants", "expected_information", "mean_estimate")


@dataclass(frozen=True)
class LookCharacteristics:
    """One planned look over all simulated trials.

    reached: share of trials that took it. stops: share of all trials that it ended for efficacy, stopped: at it or
    before, ends: for whatever reason. unlikely: share of trials whose conditional power was under the plan's threshold
    here, shown and never obeyed; None without such a rule and at the last look. information, participants (mean at the
    look) and bound (mean z) are nan where no trial took it.
    """

    number: int
    planned_information: int
    reached: Estimate
    stops: Estimate
    stopped: Estimate
    ends: Estimate
    unlikely: Estimate | None
    information: float
    participants: float
    bound: float


@dataclass(frozen=True)
class Characteristics:
    """One scenario. All rates are shares of `trials`; `se` of an Estimate is its Monte Carlo error.

    effect: the true difference of the primary contrast, before rounding of answers. rejected: trials that crossed the
    efficacy bound, which is the `power` where there is an effect of the drug and the `type_i_error` where there is
    none; the other is None. expected_participants are those randomised when the trial ended, expected_information
    its units, mean_estimate the (unadjusted) estimate at its end. not_estimable: trials whose last look had none.
    """

    scenario: str
    trials: int
    planned_participants: int
    effect: float
    rejected: Estimate
    power: Estimate | None
    type_i_error: Estimate | None
    expected_participants: Estimate
    expected_information: Estimate
    mean_estimate: Estimate
    not_estimable: int
    looks: tuple[LookCharacteristics, ...]


@dataclass(frozen=True)
class OperatingCharacteristics:
    """The operating characteristics of one protocol under one or more scenarios."""

    study: str
    plan_version: str
    protocol_sha256: str
    seed: int
    trials: int
    scenarios: tuple[Characteristics, ...]

    def __getitem__(self, label: str) -> Characteristics:
        """The scenario of this label. Raises KeyError."""
        for each in self.scenarios:
            if each.scenario == label:
                return each
        raise KeyError(label)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per scenario; every estimate with its Monte Carlo error (_se), None where it does not exist."""
        return pd.DataFrame([_summary_row(each) for each in self.scenarios])

    @property
    def looks(self) -> pd.DataFrame:
        """One row per scenario and look: stopping probabilities with their Monte Carlo errors."""
        return pd.DataFrame([_look_row(each, look) for each in self.scenarios for look in each.looks])


def operating_characteristics(
    protocol: ProtocolDefinition | str | PathLike[str],
    *,
    scenarios: Iterable[str | Scenario],
    trials: int,
    seed: int,
) -> OperatingCharacteristics:
    """Simulate a protocol's trial from randomisation to its last look, under each scenario.

    protocol: the definition, or the path of its file. scenarios: names of the simulation model (default, null_global,
    ...), with `:share` where the drug's effect is multiplied (default:0.5). trials: how many under each, 1 or more;
    seed: an integer >= 0. Trials are drawn by DOMAIN.md 6, randomised by the protocol's permuted blocks, and looked at
    as its plan says: the primary model on what had been written by then, its z against the bound at the information
    that came. Trial i is the child i of the seed, in whatever chunks trials are simulated: `simulate` gives their rows.

    Raises ValueError for an unknown scenario, trials or seed out of range, or a protocol whose primary endpoint,
    covariates or strata the simulation model does not have.
    """
    definition = _definition(protocol)
    chosen = several(scenarios)
    require_size(trials, seed)
    models = [trial_model(definition, each) for each in chosen]
    rows = [simulate(model, seed=seed, first=0, count=trials) for model in models]
    return gathered(definition, models, rows, seed=seed)


def gathered(
    protocol: ProtocolDefinition, models: Sequence[TrialModel], rows: Sequence[FloatArray], *, seed: int
) -> OperatingCharacteristics:
    """The characteristics from the rows of `simulate`, in the order of their trials, one array for each model."""
    return OperatingCharacteristics(
        study=protocol.study.code,
        plan_version=protocol.analysis.version,
        protocol_sha256=protocol.sha256,
        seed=seed,
        trials=len(rows[0]),
        scenarios=tuple(characteristics(model, each) for model, each in zip(models, rows, strict=True)),
    )


def characteristics(model: TrialModel, rows: FloatArray) -> Characteristics:
    """One scenario's characteristics from the rows of `simulate`."""
    planned = model.looks.planned
    table = pd.DataFrame(rows, columns=columns(len(planned)))
    rejected = _rate(table["rejected"] == 1)
    null = model.drug_effect == 0
    return Characteristics(
        scenario=model.scenario.label,
        trials=len(table),
        planned_participants=model.participants,
        effect=model.drug_effect + 0.0,
        rejected=rejected,
        power=None if null else rejected,
        type_i_error=rejected if null else None,
        expected_participants=_mean(table["participants"]),
        expected_information=_mean(table["information"]),
        mean_estimate=_mean(table["estimate"].dropna()),
        not_estimable=int(table["estimate"].isna().sum()),
        looks=tuple(_look(model, table, each.number, each.information) for each in planned),
    )


def require_size(trials: int, seed: int) -> None:
    """Raises ValueError for a number of trials or a seed that cannot be."""
    if isinstance(trials, bool) or int(trials) != trials or trials < 1:
        raise ValueError(f"trials is {trials}; allowed is a whole number of 1 or more.")
    if isinstance(seed, bool) or int(seed) != seed or seed < 0:
        raise ValueError(f"seed is {seed}; allowed is a whole number of 0 or more.")


def _definition(protocol: ProtocolDefinition | str | PathLike[str]) -> ProtocolDefinition:
    if isinstance(protocol, ProtocolDefinition):
        return protocol
    path = Path(protocol)
    return load(path.read_text(encoding="utf-8"), source=str(path))


def _look(model: TrialModel, table: pd.DataFrame, number: int, information: int) -> LookCharacteristics:
    reached = table[f"information_at_{number}"].notna()
    here, before = table["ended_at"] == number, table["ended_at"] <= number
    crossed = table["rejected"] == 1
    shown = model.looks.futility is not None and number < len(model.looks.planned)
    means = {
        name: float(table.loc[reached, f"{name}_{number}"].mean())
        for name in ("information_at", "participants_at", "bound")
    }
    return LookCharacteristics(
        number=number,
        planned_information=information,
        reached=_rate(reached),
        stops=_rate(here & crossed),
        stopped=_rate(before & crossed),
        ends=_rate(here),
        unlikely=_rate(table[f"unlikely_{number}"] == 1) if shown else None,
        information=means["information_at"],
        participants=means["participants_at"],
        bound=means["bound"],
    )


def _rate(happened: pd.Series[bool]) -> Estimate:
    """A share with its Monte Carlo error and Wilson's 95 % interval (Wilson 1927, JASA 22:209)."""
    n, share = len(happened), float(happened.mean())
    spread = _NORMAL_975**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = _NORMAL_975 / (1 + spread) * float(np.sqrt(share * (1 - share) / n + spread / (4 * n)))
    error = float(np.sqrt(share * (1 - share) / n))
    # At 0 and 1 the formula gives these but for rounding.
    return Estimate(share, error, centre - half if share > 0 else 0.0, centre + half if share < 1 else 1.0)


def _mean(values: pd.Series[float]) -> Estimate:
    """A mean with its Monte Carlo error and a normal 95 % interval; nan of one trial or none."""
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, np.nan)
    centre = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(centre, error, centre - _NORMAL_975 * error, centre + _NORMAL_975 * error)


def _summary_row(each: Characteristics) -> dict[str, Any]:
    row: dict[str, Any] = {"scenario": each.scenario, "effect": each.effect, "trials": each.trials}
    for name in (*_RATES, *_MEANS):
        found: Estimate | None = getattr(each, name)
        row |= {name: found.estimate if found else None, f"{name}_se": found.se if found else None}
    return {**row, "planned_participants": each.planned_participants, "not_estimable": each.not_estimable}


def _look_row(each: Characteristics, look: LookCharacteristics) -> dict[str, Any]:
    row: dict[str, Any] = {
        "scenario": each.scenario,
        "look": look.number,
        "planned_information": look.planned_information,
        "information": look.information,
        "participants": look.participants,
        "bound": look.bound,
    }
    for name in ("reached", "stops", "stopped", "ends", "unlikely"):
        found: Estimate | None = getattr(look, name)
        row |= {name: found.estimate if found else None, f"{name}_se": found.se if found else None}
    return row
