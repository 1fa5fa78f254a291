"""What is not there: missed diary days and visits, rescue analgesics, drop-out.

Rescue is an intercurrent event, drop-out is missing data; both depend on pain, as in real trials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .draws import FloatArray, choice, expit
from .latent import DAYS, FIRST_DAY
from .parameters import DIMENSIONS, Arm, Parameters
from .records import IntercurrentEvent
from .streams import stream

BoolArray = NDArray[np.bool_]
_S = DIMENSIONS.index("S")
_WEEKS = 14
_MOST_VISITS = 32


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missed. diary (127,): by day of `DAYS`; forms and qst (32,): by position of the visit."""

    diary: BoolArray
    forms: BoolArray
    qst: BoolArray


@dataclass(frozen=True, slots=True)
class RescueUse:
    """Rescue analgesics. relief (127,): what Z_S falls by; doses (127,); events: weeks above allowance."""

    relief: FloatArray
    doses: FloatArray
    events: tuple[IntercurrentEvent, ...]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Drop-out: the first day without data, the reason, whether there was a last visit."""

    day: int
    reason: str
    last_visit: bool


def gaps(seed: int, index: int, parameters: Parameters) -> Gaps:
    """What a participant misses, completely at random; the same in both arms."""
    law = parameters.missing
    rng = stream(seed, "missing", index)
    return Gaps(
        diary=rng.random(len(DAYS)) < law.diary_day,
        forms=rng.random(_MOST_VISITS) < law.pro_visit,
        qst=rng.random(_MOST_VISITS) < law.qst_visit,
    )


def use_rescue(seed: int, index: int, z: FloatArray, parameters: Parameters) -> RescueUse:
    """Rescue by week from the pain of that week. z (127, 4): the latent course without rescue.

    logit P(rescue in week t) = -2.2 + .6 Z_S(t), Z_S averaged over the week; Z_S then falls by .4.
    """
    law = parameters.rescue
    rng = stream(seed, "rescue", index)
    u = rng.random((_WEEKS, 2))
    doses = rng.poisson(parameters.diary.rescue_doses_per_day, (_WEEKS, 7))
    taken: FloatArray = np.zeros(len(DAYS))
    events = []
    for week in range(_WEEKS):
        first = 7 * week + 1 - FIRST_DAY
        days = slice(first, first + 7)
        if u[week, 0] >= expit(law.intercept + law.slope * float(z[days, _S].mean())):
            continue
        above = bool(u[week, 1] < law.above_allowance)
        taken[days] = np.maximum(doses[week], 1) + 4 * above
        if above:
            events.append(IntercurrentEvent("ICE-2", 7 * week + 1, 7 * week + 7))
    relief = np.where(taken > 0, law.relief, 0.0)
    return RescueUse(relief, taken, tuple(events))


def drop_out(
    seed: int,
    index: int,
    arm: Arm,
    *,
    z: FloatArray,
    observed: FloatArray,
    severe_by_day: BoolArray,
    parameters: Parameters,
) -> Leaving | None:
    """Whether and when a participant leaves.

    At days 7, 14, 28, 56 and 84: MCAR with a constant hazard; MAR by the last rating seen at the visit
    before; MNAR by the pain of that very day, which nobody saw. z (127, 4); observed (127,): diary
    ratings on the scale of Z_S, nan where missed; severe_by_day (127,).
    """
    law = parameters.dropout
    rng = stream(seed, "dropout", index)
    u = rng.random((len(law.days), 2))
    v = rng.random(2)
    before = 0
    for k, day in enumerate(law.days):
        seen = _last_seen(observed, before)
        hazard = _hazard(arm, seen, z[day - FIRST_DAY, _S], severe_by_day[before - FIRST_DAY], parameters)
        if u[k, 0] < hazard:
            left = before + 1 + int(u[k, 1] * (day - before))
            return Leaving(left, choice(v[0], law.reasons), bool(v[1] < law.comes_for_early_termination))
        before = day
    return None


def _hazard(arm: Arm, seen: float, unseen: float, severe: bool, parameters: Parameters) -> float:
    law = parameters.dropout
    if law.mechanism == "MCAR":
        return law.mcar_hazard
    logit = law.intercept + law.severe_event * severe
    if law.mechanism == "MAR":
        return expit(logit + law.observed_slope * seen)
    return expit(logit + law.unobserved_slope * unseen + law.active_offset * (arm == "active"))


def _last_seen(observed: FloatArray, day: int) -> float:
    seen = observed[: day - FIRST_DAY + 1]
    known = seen[~np.isnan(seen)]
    return float(known[-1]) if len(known) else 0.0
