"""Quantitative sensory testing: raw trials of the 13 DFNS parameters that aggregate to intended z-values.

z_p = .6 + .9 (.75 Z_Q + .66 e_p), back-transformed through the reference table, then trials with a
within-session SD of .10 (log10) or .8 C round the value. The trials are centred, so that aggregating
them (Rolke 2006: means, geometric means of turning points, ratio of ratings) gives z_p back, up to the
resolution of the device: 0.01 C, 1 kPa, doubling forces, whole ratings, half steps of the fork.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from .design import QstNorm
from .draws import FloatArray
from .parameters import DIMENSIONS, Qst, Stratum
from .records import CpmRecord, QstTrial

PARAMETERS = ("CDT", "WDT", "TSL", "CPT", "HPT", "MDT", "MPT", "MPS", "WUR", "VDT", "PPT")
_BASE_CELSIUS = 32.0
_COLDEST, _HOTTEST, _HARDEST_KPA = 0.0, 50.0, 1000.0
_PINPRICKS = (8, 16, 32, 64, 128, 256, 512)
_BRUSHES = ("wisp", "swab", "brush")
_Q = DIMENSIONS.index("Q")


def intended_z(z: FloatArray, own: FloatArray, law: Qst, *, control: bool) -> dict[str, float]:
    """z-values by parameter. z (4,): latent state; own (11,): independent standard normal numbers.

    The control area is nearer to healthy and shares less of the latent state.
    """
    mean, shared = (law.control_mean, law.control_shared) if control else (law.mean, law.shared)
    values = mean + law.sd * (shared * z[_Q] + law.own * own)
    return dict(zip(PARAMETERS, values.tolist(), strict=True))


def values_of(z: Mapping[str, float], norms: Mapping[str, QstNorm]) -> dict[str, float]:
    """The value of each parameter in its own unit, kept in the physically possible order and range.

    Cold pain lies below cold detection, heat pain above warm detection, all within 0-50 C.
    """
    value = {name: _back(z[name], norms[name]) for name in PARAMETERS}
    value["CDT"], value["WDT"] = min(value["CDT"], 20.0), min(value["WDT"], 15.0)
    value["CPT"] = min(max(value["CPT"], _COLDEST), _BASE_CELSIUS - value["CDT"] - 0.5)
    value["HPT"] = min(max(value["HPT"], _BASE_CELSIUS + value["WDT"] + 0.5), _HOTTEST)
    value["TSL"] = min(value["TSL"], 30.0)
    value["MDT"] = min(max(value["MDT"], 0.25), 512.0)
    value["MPT"] = min(max(value["MPT"], 8.0), 512.0)
    value["MPS"] = min(max(value["MPS"], 0.1), 95.0)
    value["WUR"] = min(max(value["WUR"], 0.5), 12.0)
    value["VDT"] = min(max(value["VDT"], 0.0), 8.0)
    value["PPT"] = min(max(value["PPT"], 20.0), _HARDEST_KPA)
    return value


def trials(value: Mapping[str, float], stratum: Stratum, rng: np.random.Generator, law: Qst) -> tuple[QstTrial, ...]:
    """All raw trials of one area, in the order of the DFNS protocol.

    stratum: dynamic allodynia is commoner in neuropathic pain. Always draws the same count of numbers.
    """
    thermal = rng.standard_normal((6, 3))
    turning = rng.standard_normal((2, 10))
    ratings = rng.standard_normal(35)
    wind_up = rng.standard_normal((2, 5))
    steps = rng.standard_normal((2, 3))
    signs = rng.random(2 + 3 + 15)
    return (
        *_thermal(value, thermal, law),
        *_paradoxical(signs[2:5], law),
        *_turning_points("MDT", value["MDT"], turning[0], low=0.25),
        *_turning_points("MPT", value["MPT"], turning[1], low=8.0),
        *_pinprick_ratings(value["MPS"], ratings),
        *_allodynia(signs[0] < law.allodynia[stratum], signs[5:], signs[1]),
        *_wind_up(value["WUR"], wind_up),
        *_vibration(value["VDT"], steps[0]),
        *_pressure(value["PPT"], steps[1], law),
    )


def conditioned(ppt: float, rng: np.random.Generator, law: Qst) -> CpmRecord:
    """Pressure pain thresholds before and during a cold pressor; mostly higher during (inhibition)."""
    noise = rng.standard_normal(5)
    gain = law.cpm_log10_gain.mean + law.cpm_log10_gain.sd * noise[0]
    before = np.clip(np.rint(ppt * 10 ** (0.03 * noise[1:3])), 20, _HARDEST_KPA)
    during = np.clip(np.rint(ppt * 10 ** (gain + 0.03 * noise[3:5])), 20, _HARDEST_KPA)
    return CpmRecord(tuple(before.tolist()), tuple(during.tolist()), bath_celsius=10.0, bath_seconds=90)


def _back(z: float, norm: QstNorm) -> float:
    transformed = norm.mean + norm.gain_sign * z * norm.sd
    return float(10.0**transformed) if norm.scale == "log10" else transformed


def _spread(value: float, noise: FloatArray, sd: float, *, log10: bool) -> FloatArray:
    """Trials round a value whose arithmetic mean is that value."""
    if log10:
        factor = 10.0 ** (sd * noise)
        scaled: FloatArray = value * factor / factor.mean()
        return scaled
    shifted: FloatArray = value + sd * (noise - noise.mean())
    return shifted


def _to_grid(values: FloatArray, step: float) -> FloatArray:
    """Values on a grid of the given step, whose sum is the nearest possible to the sum before."""
    edges = np.rint(np.cumsum(values) / step)
    edges[1:] -= edges[:-1].copy()
    return edges * step


def _thermal(value: Mapping[str, float], noise: FloatArray, law: Qst) -> list[QstTrial]:
    def near(offset: float, k: int) -> FloatArray:
        return _BASE_CELSIUS + _spread(offset, noise[k], law.within_log10, log10=True)

    def pain(celsius: float, k: int) -> FloatArray:
        return _spread(celsius, noise[k], law.within_celsius, log10=False)

    return [
        *_celsius("CDT", near(-value["CDT"], 0)),
        *_celsius("WDT", near(value["WDT"], 1)),
        *_celsius("TSL", near(0.55 * value["TSL"], 2), "warm"),
        *_celsius("TSL", near(-0.45 * value["TSL"], 3), "cold"),
        *_celsius("CPT", pain(value["CPT"], 4)),
        *_celsius("HPT", pain(value["HPT"], 5)),
    ]


def _celsius(name: str, temperatures: FloatArray, direction: str = "") -> list[QstTrial]:
    """Thermode readings; at the safety cut-off the cut-off itself is recorded and flagged."""
    on_grid = np.clip(_to_grid(temperatures, 0.01), _COLDEST, _HOTTEST)
    return [
        QstTrial(name, k + 1, direction, round(t, 2), "C", cutoff=t in (_COLDEST, _HOTTEST))
        for k, t in enumerate(on_grid.tolist())
    ]


def _paradoxical(uniform: FloatArray, law: Qst) -> list[QstTrial]:
    return [QstTrial("PHS", k + 1, "", float(u < law.paradoxical_heat), "n") for k, u in enumerate(uniform)]


def _steps(values: FloatArray, low: int, high: int) -> FloatArray:
    """Whole steps within bounds, whose sum is the nearest possible to the sum before.

    What the bounds cut off is given to the values with most room, one step each.
    """
    total = int(np.clip(np.rint(values.sum()), low * len(values), high * len(values)))
    steps = np.clip(np.rint(values), low, high)
    while (short := total - int(steps.sum())) != 0:
        order = np.argsort(steps * np.sign(short), kind="stable")
        open_ones = [k for k in order if low <= steps[k] + np.sign(short) <= high]
        steps[open_ones[: abs(short)]] += np.sign(short)
    return steps


def _turning_points(name: str, value: float, noise: FloatArray, *, low: float) -> list[QstTrial]:
    """Ten forces of a doubling series whose geometric mean is nearest to the value.

    Ascending turning points lie about one step above descending ones.
    """
    spread = 0.6 * (noise - noise.mean()) + np.repeat([0.4, -0.4], 5)
    exponents = _steps(np.log2(value / low) + spread, 0, round(np.log2(512 / low)))
    directions = ["ascending"] * 5 + ["descending"] * 5
    return [
        QstTrial(name, k % 5 + 1, directions[k], float(force), "mN") for k, force in enumerate(low * 2.0**exponents)
    ]


@lru_cache(maxsize=1)
def _log_ratings() -> FloatArray:
    table: FloatArray = np.log10(np.arange(101) + 0.1)
    return table


def _pinprick_ratings(value: float, noise: FloatArray) -> list[QstTrial]:
    """35 whole ratings 0-100 that rise with the force; log10(rating + 0.1) averages to log10 of the value.

    Rounding moves that average, so the level is searched for: first coarsely, then finely.
    """
    shape = 0.22 * np.repeat(np.arange(7) - 3.0, 5) + 0.12 * noise
    level = np.log10(value)
    for half, steps in ((2.5, 51), (0.1, 41)):
        levels = level + np.linspace(-half, half, steps)
        candidates = np.clip(np.rint(10.0 ** (levels[:, None] + shape)), 0, 100)
        means = _log_ratings()[candidates.astype(int)].mean(axis=1)
        best = int(np.argmin(np.abs(means - np.log10(value))))
        level = levels[best]
    return [
        QstTrial("MPS", k + 1, str(_PINPRICKS[k // 5]), rating, "0-100")
        for k, rating in enumerate(candidates[best].tolist())
    ]


def _allodynia(present: bool, uniform: FloatArray, strength: float) -> list[QstTrial]:
    """Ratings of light touch: 0 unless there is dynamic mechanical allodynia."""
    ratings = np.floor(uniform * (2 + 30 * strength)) if present else np.zeros(15)
    return [QstTrial("DMA", k + 1, _BRUSHES[k // 5], rating, "0-100") for k, rating in enumerate(ratings.tolist())]


def _wind_up(value: float, noise: FloatArray) -> list[QstTrial]:
    """Five single ratings and five of trains, whose means stand in the given ratio."""
    level = min(20.0, 80.0 / value)
    single = np.maximum(_to_grid(_spread(level, noise[0], 0.08, log10=True), 1.0), 1.0)
    train = _to_grid(_spread(value * single.mean(), noise[1], 0.05, log10=True), 1.0)
    return [
        QstTrial("WUR", k + 1, direction, rating, "0-100")
        for direction, ratings in (("single", single), ("series", np.clip(train, 0, 100)))
        for k, rating in enumerate(ratings.tolist())
    ]


def _vibration(value: float, noise: FloatArray) -> list[QstTrial]:
    """Three readings of the fork in half steps of 8."""
    readings = _steps(2 * value + 0.8 * (noise - noise.mean()), 0, 16) / 2
    return [QstTrial("VDT", k + 1, "", reading, "x/8") for k, reading in enumerate(readings.tolist())]


def _pressure(value: float, noise: FloatArray, law: Qst) -> list[QstTrial]:
    sd = min(law.within_log10, 0.5 * np.log10(_HARDEST_KPA / value))
    readings = np.clip(_to_grid(_spread(value, noise, sd, log10=True), 1.0), 1, _HARDEST_KPA)
    return [
        QstTrial("PPT", k + 1, "", kpa, "kPa", cutoff=kpa >= _HARDEST_KPA) for k, kpa in enumerate(readings.tolist())
    ]


def session_trials(
    z: FloatArray,
    norms: Mapping[str, QstNorm],
    stratum: Stratum,
    rng: np.random.Generator,
    law: Qst,
    *,
    control: bool,
) -> tuple[dict[str, float], tuple[QstTrial, ...]]:
    """The values and raw trials of one area at one visit. z (4,): the latent state."""
    intended = intended_z(z, rng.standard_normal(len(PARAMETERS)), law, control=control)
    value = values_of(intended, norms)
    return value, trials(value, stratum, rng, law)
