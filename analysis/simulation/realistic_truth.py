"""The truth of the realistic mode: computed by a large simulation, not assumed.

Rounding, clipping, the screening of the diary and the relief by rescue move the week-4 difference away
from the latent 1.6 x .5169; so it is computed once for many participants, each in both arms with the
same random numbers, and stored in `realistic_truth.yaml` with its Monte Carlo error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.random import Generator
from scipy import special, stats

from .draws import FloatArray
from .latent import belief_effect, cholesky_root, drug_effect, placebo_effect
from .parameters import DIMENSIONS, Arm, Parameters, load_parameters
from .streams import stream

STORED = Path(__file__).with_name("realistic_truth.yaml")
SCENARIOS = ("default", "null_global", "null_dissociation", "unblinding", "site_het")
_BASELINE, _WEEK_4 = np.arange(-7.0, 0.0), np.arange(22.0, 29.0)
_CHUNK = 100_000
_S = DIMENSIONS.index("S")


@dataclass(frozen=True, slots=True)
class Truth:
    """A large-sample value and its Monte Carlo standard error."""

    value: float
    mcse: float


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Participants before treatment. untreated (n, 14): Z_S on the 7 + 7 days; the rest (n,) or (n, 7)."""

    untreated: FloatArray
    response: FloatArray
    site_treatment: FloatArray
    dissociation: FloatArray
    unsure: FloatArray
    belief: FloatArray
    rescue: FloatArray
    noise: FloatArray
    diary_gaps: FloatArray


def realistic_truth(parameters: Parameters, *, participants: int, seed: int) -> dict[str, Truth]:
    """Active minus control at week 4, in eligible participants without drop-out or gaps at week 4.

    nrs_treatment_policy: change of the weekly mean diary rating, rescue taken as it comes;
    nrs_hypothetical: the same had nobody rescue; responder_30 and responder_50: differences of shares,
    rescue as it comes. participants: how many are drawn, before screening.
    """
    rng = stream(seed, "latent_w", 0)
    found: dict[str, list[FloatArray]] = {}
    for size in _chunks(participants):
        crowd = _draw(size, rng, parameters)
        for name, difference in _differences(crowd, parameters).items():
            found.setdefault(name, []).append(difference)
    return {name: _summarise(np.concatenate(parts)) for name, parts in found.items()}


def stored_truth(scenario: str) -> dict[str, Truth]:
    """The stored truth of a scenario; KeyError if none is stored."""
    stored = yaml.safe_load(STORED.read_text(encoding="utf-8"))
    return {name: Truth(**value) for name, value in stored["scenarios"][scenario].items()}


def store_truth(*, participants: int, seed: int) -> None:
    """Compute every scenario's truth and write `realistic_truth.yaml`."""
    scenarios = {
        name: {
            key: {"value": round(truth.value, 5), "mcse": round(truth.mcse, 6)}
            for key, truth in realistic_truth(load_parameters(name), participants=participants, seed=seed).items()
        }
        for name in SCENARIOS
    }
    model = load_parameters().version
    stored = {"model": model, "participants": participants, "seed": seed, "scenarios": scenarios}
    comment = "# Written by analysis.simulation.realistic_truth.store_truth; see that module.\n"
    STORED.write_text(comment + yaml.safe_dump(stored, sort_keys=False), encoding="utf-8")


def _chunks(participants: int) -> Iterator[int]:
    for start in range(0, participants, _CHUNK):
        yield min(_CHUNK, participants - start)


def _draw(size: int, rng: Generator, parameters: Parameters) -> _Crowd:
    law = parameters.latent
    days = np.concatenate([_BASELINE, _WEEK_4])
    root = cholesky_root(np.exp(-np.abs(days[:, None] - days[None, :]) / law.time_scale_days))
    moving = rng.standard_normal((size, len(days))) @ root.T
    person, site, own, response = rng.standard_normal((4, size))
    level = np.sqrt(law.person_share) * person + law.site_sd * site
    uniform = rng.random((4, size))
    return _Crowd(
        untreated=level[:, None] + np.sqrt(1 - law.person_share) * moving,
        response=np.exp(law.response_log_sd * response - law.response_log_sd**2 / 2),
        site_treatment=law.site_treatment_sd * own,
        dissociation=uniform[0],
        unsure=uniform[1],
        belief=uniform[2],
        rescue=uniform[3],
        noise=parameters.diary.noise * rng.standard_normal((size, len(days))),
        diary_gaps=rng.random((size, len(_BASELINE))),
    )


def _differences(crowd: _Crowd, parameters: Parameters) -> dict[str, FloatArray]:
    baseline, eligible = _screened(crowd, parameters)
    ratings = {
        (arm, relieved): _week_4(crowd, arm, parameters, relieved=relieved)[eligible]
        for arm in ("active", "control")
        for relieved in (True, False)
    }
    start = baseline[eligible]
    percent = {arm: 100 * (start - ratings[arm, True]) / start for arm in ("active", "control")}
    found = {
        "nrs_treatment_policy": ratings["active", True] - ratings["control", True],
        "nrs_hypothetical": ratings["active", False] - ratings["control", False],
    }
    for cut in (30, 50):
        responds = {arm: (percent[arm] >= cut - 1e-9).astype(np.float64) for arm in percent}
        found[f"responder_{cut}"] = responds["active"] - responds["control"]
    return found


def _screened(crowd: _Crowd, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
    """The baseline mean and who passes criterion I3 (n,), as in `before_randomisation`."""
    days = len(_BASELINE)
    ratings = _rate(crowd.untreated[:, :days], crowd.noise[:, :days], parameters)
    kept = crowd.diary_gaps >= parameters.missing.diary_day
    count = kept.sum(axis=1)
    mean = (ratings * kept).sum(axis=1) / np.maximum(count, 1)
    spread = ((ratings - mean[:, None]) ** 2 * kept).sum(axis=1) / np.maximum(count - 1, 1)
    return mean, (count >= 5) & (mean >= 4) & (mean <= 9) & (np.sqrt(spread) <= 2.5)


def _week_4(crowd: _Crowd, arm: Arm, parameters: Parameters, *, relieved: bool) -> FloatArray:
    """The mean rating of days 22-28, with relief by rescue or without."""
    law, days = parameters.latent, len(_BASELINE)
    z = crowd.untreated[:, days:] - placebo_effect(_WEEK_4, law)[:, _S]
    z = z - belief_effect(law)[_S] * _believes(crowd, arm, parameters)[:, None]
    if arm == "active":
        effect = drug_effect(_WEEK_4, law)[:, _S]
        z = z - effect * crowd.response[:, None] - crowd.site_treatment[:, None]
    if relieved:
        rescue = parameters.rescue
        uses = crowd.rescue < special.expit(rescue.intercept + rescue.slope * z.mean(axis=1))
        z = z - rescue.relief * uses[:, None]
    mean: FloatArray = _rate(z, crowd.noise[:, days:], parameters).mean(axis=1)
    return mean


def _believes(crowd: _Crowd, arm: Arm, parameters: Parameters) -> FloatArray:
    """Who guesses ketamine on the infusion day (n,)."""
    peak, guess = parameters.infusion.cadss_at_end[arm], parameters.guess
    counts = np.arange(92)
    edges = stats.nbinom.cdf(counts, peak.size, peak.size / (peak.size + peak.mean))
    cadss = np.searchsorted(edges, crowd.dissociation)
    share = special.expit(guess.intercept + guess.per_cadss_point * cadss)
    return np.where(crowd.unsure < guess.do_not_know, 0.0, crowd.belief < share)


def _rate(z: FloatArray, noise: FloatArray, parameters: Parameters) -> FloatArray:
    nrs = parameters.continuous["nrs"]
    rating: FloatArray = np.clip(np.rint(nrs.mean + nrs.slope * z + noise), 0, 10)
    return rating


def _summarise(differences: FloatArray) -> Truth:
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return Truth(float(differences.mean()), float(error))
