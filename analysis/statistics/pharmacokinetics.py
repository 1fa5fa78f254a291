"""Exposure to an infused drug and its metabolites, without a compartment model."""

from dataclasses import dataclass
from math import log, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arguments import floats, is_number

FloatArray = NDArray[np.float64]

_FEWEST_TERMINAL = 3
_ACCEPTED_FIT = 0.80
_SAME_FIT = 1e-4
_FLAGGED_EXTRAPOLATION = 20.0
_PRE_DOSE_SHARE = 0.05


@dataclass(frozen=True)
class Exposure:
    """Exposure of one participant to one analyte; nan where the samples do not tell.

    cmax (ng/mL) and tmax (h) as observed, the first of ties; tlast (h) of the last quantifiable sample;
    auc_last and auc_inf (ng h/mL); lambda_z (1/h) from terminal_points samples with adjusted_r_squared;
    half_life, mrt (h); clearance (L/h, parent only); extrapolated: percent of auc_inf beyond tlast, flagged
    above 20; below_limit: samples under the limit; pre_dose_carry_over: a pre-dose sample above 5 % of
    cmax.
    """

    cmax: float
    tmax: float
    tlast: float
    auc_last: float
    auc_inf: float
    lambda_z: float
    terminal_points: int
    adjusted_r_squared: float
    half_life: float
    extrapolated: float
    extrapolation_flagged: bool
    clearance: float
    mrt: float
    below_limit: int
    pre_dose_carry_over: bool


@dataclass(frozen=True)
class _Terminal:
    rate: float
    points: int
    adjusted_r_squared: float


def noncompartmental(
    time_h: ArrayLike,
    concentration: ArrayLike,
    *,
    lloq: float,
    dose_mg: float | None = None,
    infusion_h: float | None = None,
) -> Exposure:
    """Noncompartmental analysis of one profile.

    time_h (n,) actual hours from the start of the infusion, strictly increasing, a pre-dose time counting
    as 0; concentration (n,) ng/mL, nan where there is no result. lloq: lower limit of quantification,
    ng/mL. dose_mg and infusion_h: of the parent drug; None for a metabolite, which has neither clearance
    nor mean residence time.

    Below the limit: 0 before the first quantifiable sample, missing between two, dropped after the last.
    AUC is linear up, logarithmic down. lambda_z: least squares of log concentration on the last three or
    more samples after cmax with the best adjusted R squared (the most samples within 1e-4 of it), accepted
    from 0.80. Raises ValueError naming the argument. Reference: Gabrielsson & Weiner (2012), Methods Mol
    Biol 929:377.
    """
    time, level = _profile(time_h, concentration)
    _positive("lloq", lloq)
    for name, value in (("dose_mg", dose_mg), ("infusion_h", infusion_h)):
        if value is not None:
            _positive(name, value)
    quantifiable = level >= lloq
    below = int((~quantifiable).sum())
    if not quantifiable.any():
        return _nothing_quantifiable(below)
    before = level[time <= 0]
    time, level = _kept(time, level, quantifiable)
    peak = int(level.argmax())
    carry_over = bool((before[before >= lloq] > _PRE_DOSE_SHARE * level[peak]).any())
    terminal = _terminal_phase(time[peak + 1 :], level[peak + 1 :])
    return _exposure(time, level, terminal, (dose_mg, infusion_h), (below, carry_over))


def _exposure(
    time: FloatArray,
    level: FloatArray,
    terminal: _Terminal,
    parent: tuple[float | None, float | None],
    quality: tuple[int, bool],
) -> Exposure:
    dose, infusion = parent
    peak = int(level.argmax())
    last, rate = float(level[-1]), terminal.rate
    area, moment = _areas(time, level)
    area_inf = area + last / rate
    moment_inf = moment + time[-1] * last / rate + last / rate**2
    extrapolated = 100 * (area_inf - area) / area_inf
    return Exposure(
        cmax=float(level[peak]),
        tmax=float(time[peak]),
        tlast=float(time[-1]),
        auc_last=area,
        auc_inf=area_inf,
        lambda_z=rate,
        terminal_points=terminal.points,
        adjusted_r_squared=terminal.adjusted_r_squared,
        half_life=log(2) / rate,
        extrapolated=extrapolated,
        extrapolation_flagged=extrapolated > _FLAGGED_EXTRAPOLATION,
        # mg to ng and mL to L: a factor of 1000.
        clearance=nan if dose is None else 1000 * dose / area_inf,
        mrt=nan if infusion is None else float(moment_inf / area_inf - infusion / 2),
        below_limit=quality[0],
        pre_dose_carry_over=quality[1],
    )


def _profile(time_h: ArrayLike, concentration: ArrayLike) -> tuple[FloatArray, FloatArray]:
    time, level = floats("time_h", time_h), floats("concentration", concentration)
    if time.ndim != 1 or time.size == 0 or not np.all(np.isfinite(time)) or np.any(np.diff(time) <= 0):
        raise ValueError("time_h is not strictly increasing or holds missing values; allowed are hours in order.")
    if level.shape != time.shape:
        msg = f"concentration holds {level.size} values, time_h {time.size}; allowed is one per time."
        raise ValueError(msg)
    if np.any(np.isinf(level)) or np.any(level < 0):
        raise ValueError("concentration holds negative or infinite values; allowed are ng/mL from 0, nan if none.")
    if (time <= 0).sum() > 1:
        raise ValueError("time_h holds more than one pre-dose time; allowed is one at or before 0.")
    measured = ~np.isnan(level)
    return np.maximum(time[measured], 0.0), level[measured]


def _kept(time: FloatArray, level: FloatArray, quantifiable: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The samples that count, starting from nothing in the blood at 0 where no pre-dose sample says
    otherwise.
    """
    first, last = int(np.argmax(quantifiable)), int(np.flatnonzero(quantifiable)[-1])
    index = np.arange(time.size)
    keep = quantifiable | (index < first)
    keep &= index <= last
    level = np.where(quantifiable, level, 0.0)
    time, level = time[keep], level[keep]
    if time[0] > 0:
        return np.append(0.0, time), np.append(0.0, level)
    return time, level


def _areas(time: FloatArray, level: FloatArray) -> tuple[float, float]:
    """Areas under the curve and under its first moment, linear where it rises, logarithmic where it falls."""
    t1, t2, c1, c2 = time[:-1], time[1:], level[:-1], level[1:]
    step = t2 - t1
    falls = (c2 < c1) & (c2 > 0)
    rate = np.log(np.where(falls, c1, np.e) / np.where(falls, c2, 1.0)) / step
    area = np.where(falls, (c1 - c2) / rate, step * (c1 + c2) / 2)
    moment = np.where(falls, (t1 * c1 - t2 * c2) / rate + (c1 - c2) / rate**2, step * (t1 * c1 + t2 * c2) / 2)
    return float(area.sum()), float(moment.sum())


def _terminal_phase(time: FloatArray, level: FloatArray) -> _Terminal:
    fits = [_line(time[-n:], np.log(level[-n:])) for n in range(_FEWEST_TERMINAL, time.size + 1)]
    if not fits:
        return _Terminal(nan, 0, nan)
    best = max(fit.adjusted_r_squared for fit in fits)
    chosen = [fit for fit in fits if fit.adjusted_r_squared >= best - _SAME_FIT][-1]
    accepted = chosen.adjusted_r_squared >= _ACCEPTED_FIT and chosen.rate > 0
    return chosen if accepted else _Terminal(nan, chosen.points, chosen.adjusted_r_squared)


def _line(time: FloatArray, log_level: FloatArray) -> _Terminal:
    points = time.size
    centred, response = time - time.mean(), log_level - log_level.mean()
    slope = float(centred @ response / (centred @ centred))
    total = float(response @ response)
    residual = float(((response - slope * centred) ** 2).sum())
    fit = 0.0 if total == 0 else 1 - (residual / (points - 2)) / (total / (points - 1))
    return _Terminal(-slope, points, fit)


def _nothing_quantifiable(below: int) -> Exposure:
    return Exposure(
        cmax=nan,
        tmax=nan,
        tlast=nan,
        auc_last=nan,
        auc_inf=nan,
        lambda_z=nan,
        terminal_points=0,
        adjusted_r_squared=nan,
        half_life=nan,
        extrapolated=nan,
        extrapolation_flagged=False,
        clearance=nan,
        mrt=nan,
        below_limit=below,
        pre_dose_carry_over=False,
    )


def _positive(name: str, value: float) -> None:
    if not (is_number(value) and value > 0):
        msg = f"{name} is {value!r}; allowed is a finite number above 0."
        raise ValueError(msg)
