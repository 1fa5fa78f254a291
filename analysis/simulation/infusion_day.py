"""The infusion day: dissociation, vital signs on the clock, and holds that only the safety rules cause.

Rules simulated (the others of the protocol do not fire at these numbers): S01 SBP > 180 twice, S02
SBP >= 200, S04 SBP > 1.3 x baseline and > 150 twice, S12 MOAA/S <= 3, S14 RASS >= +2, S17 CADSS >= 50,
S19 the participant asks; a hold of more than 20 min in all becomes a stop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from .design import TrialDesign
from .draws import FloatArray, negative_binomial, normal
from .parameters import Arm, Infusion, Parameters
from .people import Person
from .records import InfusionRecord, RateSegment, Reading, RuleEvent
from .streams import stream

_LONGEST_HOLD = 20


@dataclass(frozen=True, slots=True)
class Resting:
    """A person's vital signs at rest; the same at every visit but for the noise of reading."""

    sbp: float
    dbp: float
    hr: float
    spo2: float
    rr: float


@dataclass(frozen=True, slots=True)
class InfusionDay:
    """The blinded record and the dissociation behind it: CADSS totals by minute, the peak at the end."""

    record: InfusionRecord
    cadss: dict[int, int]

    @property
    def cadss_at_end(self) -> int:
        """The total at the planned end of the infusion, the highest of the day."""
        return max(self.cadss.values())


@dataclass(frozen=True, slots=True)
class _Body:
    """How one participant reacts: peaks above rest, deepest sedation, agitation and a wish to stop."""

    rest: Resting
    sbp_peak: float
    hr_peak: float
    spo2_dip: float
    deepest: int
    agitated_at: int | None
    asks_at: int | None
    resumes: bool


@dataclass(slots=True)
class _Run:
    """The pump while it runs: the holds so far as (start, end), the rules that fired, the stop."""

    holds: list[tuple[int, int]]
    rules: list[RuleEvent]
    extra: list[int]
    stopped_at: int | None = None

    def held(self) -> int:
        return sum(end - start for start, end in self.holds)


def at_rest(seed: int, index: int, parameters: Parameters) -> Resting:
    """A person's vital signs at rest."""
    law = parameters.infusion
    u = stream(seed, "screening", index).random(5)
    sbp = normal(u[0], law.sbp)
    dbp = normal(u[1], law.dbp) + law.dbp_per_sbp * (sbp - law.sbp.mean)
    return Resting(
        sbp=min(max(sbp, 88.0), 175.0),
        dbp=min(max(dbp, 48.0), sbp - 15, 108.0),
        hr=max(normal(u[2], law.hr), 48.0),
        spo2=min(normal(u[3], law.spo2), 99.0),
        rr=normal(u[4], law.rr),
    )


def infuse(
    seed: int,
    index: int,
    arm: Arm,
    person: Person,
    *,
    started_at: datetime,
    design: TrialDesign,
    parameters: Parameters,
) -> InfusionDay:
    """The infusion day of one participant in one arm, started at this time."""
    law = parameters.infusion
    rng = stream(seed, "infusion", index)
    # The first number of the stream is the dissociation, here and in the continuous mode.
    cadss = _cadss_by_minute(rng.random(), arm, design, law)
    body = _body(rng.random(8), rng.standard_normal(2), arm, at_rest(seed, index, parameters), law)
    noise = rng.standard_normal((3, len(design.clock)))
    jitter = np.rint(rng.uniform(-3, 3, len(design.clock)))
    run = _run(body, design, law)
    if max(cadss.values()) >= 50:
        run.rules.append(RuleEvent("S17", design.infusion_minutes, "ALERT"))
    readings = _readings(body, run, noise=noise, jitter=jitter, design=design, law=law)
    weight = round(person.weight_kg + law.weight_change_sd * float(rng.standard_normal()), 1)
    pump = 1 + 0.003 * float(np.tanh(rng.standard_normal()))
    return InfusionDay(
        _record(run, readings=readings, weight=weight, pump=pump, started_at=started_at, design=design), cadss
    )


def pump_setting(weight_kg: float, design: TrialDesign) -> tuple[float, float]:
    """Planned volume (mL) and the pump's rate (mL/h, half up to 0.1) for a body weight.

    0.75 mL/h per kg for 40 min in both arms, so that neither rate nor volume reveals the arm.
    """
    weight = min(Decimal(str(weight_kg)), Decimal(str(design.rate_cap_kg)))
    rate = weight * Decimal(str(design.rate_per_kg))
    volume = rate * design.infusion_minutes / 60
    return float(volume), float(rate.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))


def _cadss_by_minute(uniform: float, arm: Arm, design: TrialDesign, law: Infusion) -> dict[int, int]:
    peak = min(float(negative_binomial(np.array([uniform]), law.cadss_at_end[arm])[0]), 92.0)
    minutes = sorted(set(design.clock) | {design.infusion_minutes})
    return {minute: round(peak * _share(minute, law.cadss_share)) for minute in minutes}


def _body(u: FloatArray, noise: FloatArray, arm: Arm, rest: Resting, law: Infusion) -> _Body:
    sbp, hr = law.sbp_peak[arm], law.hr_peak[arm]
    deepest = 5 - int(np.searchsorted(np.cumsum(law.deepest_sedation[arm])[:2], u[0], side="right"))
    return _Body(
        rest=rest,
        sbp_peak=sbp.mean + sbp.sd * float(noise[0]),
        hr_peak=hr.mean + hr.sd * float(noise[1]),
        spo2_dip=law.spo2_dip[arm],
        deepest=deepest,
        agitated_at=(15, 30)[int(u[2] * 2)] if u[1] < law.agitation[arm] else None,
        asks_at=12 + int(u[4] * 24) if u[3] < law.asks_to_stop[arm] else None,
        resumes=bool(u[5] >= law.does_not_resume),
    )


def _run(body: _Body, design: TrialDesign, law: Infusion) -> _Run:
    """The infusion under the safety rules, checked at every reading before its end and when asked."""
    run = _Run([], [], [])
    checks = {minute for minute in design.clock if 0 < minute < design.infusion_minutes}
    checks |= {body.asks_at} if body.asks_at is not None else set()
    for minute in sorted(checks):
        in_hold = any(start <= minute < end for start, end in run.holds)
        if run.stopped_at is None and not in_hold:
            _check(run, body, minute, law)
    return run


def _check(run: _Run, body: _Body, minute: int, law: Infusion) -> None:
    sbp, again = _sbp(body, minute, law), _sbp(body, minute + 5, law)
    if sbp >= 200:
        _stop(run, "S02", minute)
    elif sbp > 180 and again > 180:
        run.extra.append(minute + 5)
        _hold(run, "S01", minute + 5, minutes=15)
    elif _sedation(body, minute) <= 3:
        _hold(run, "S12", minute, minutes=5)
    elif body.agitated_at == minute:
        _hold(run, "S14", minute, minutes=10)
    elif body.asks_at == minute and body.resumes:
        _hold(run, "S19", minute, minutes=5)
    elif body.asks_at == minute:
        _hold(run, "S19", minute, minutes=_LONGEST_HOLD + 5)
    elif sbp > max(1.3 * body.rest.sbp, 150) and again > max(1.3 * body.rest.sbp, 150):
        run.extra.append(minute + 5)
        run.rules.append(RuleEvent("S04", minute + 5, "ALERT"))


def _hold(run: _Run, rule: str, start: int, *, minutes: int) -> None:
    """Stop the pump for some minutes; a hold of more than 20 min in all ends the infusion."""
    run.rules.append(RuleEvent(rule, start, "HOLD"))
    left = _LONGEST_HOLD - run.held()
    end = start + min(minutes, left)
    run.holds.append((start, end))
    run.extra.extend(range(start + 5, end + 1, 5))
    if minutes > left:
        run.stopped_at = end
        run.rules.append(RuleEvent(rule, end, "STOP"))
    else:
        run.rules.append(RuleEvent(rule, end, "RESUME"))


def _stop(run: _Run, rule: str, minute: int) -> None:
    run.stopped_at = minute
    run.rules.append(RuleEvent(rule, minute, "STOP"))


def _readings(
    body: _Body, run: _Run, *, noise: FloatArray, jitter: FloatArray, design: TrialDesign, law: Infusion
) -> tuple[Reading, ...]:
    """The readings of the clock and, in between, those that a hold or a repeat asks for.

    While the pump runs they are on the minute, so that a rule fires at the reading that fired it.
    """
    taken = {
        int(minute + (jitter[k] if minute > design.infusion_minutes else 0)): (minute, noise[:, k])
        for k, minute in enumerate(design.clock)
    }
    planned = [_reading(body, m, nominal, e, law) for m, (nominal, e) in taken.items()]
    between = sorted(set(run.extra) - set(taken) - set(design.clock))
    extra = [_reading(body, m, None, np.zeros(3), law) for m in between]
    return tuple(sorted([*planned, *extra], key=lambda reading: reading.minute))


def _reading(body: _Body, minute: int, nominal: int | None, noise: FloatArray, law: Infusion) -> Reading:
    when = minute if nominal is None else nominal
    share, spread = _share(when, law.pressure_share), law.reading_noise
    # A pressure on which a rule was decided is read as it was decided on: noise only where none can fire.
    quiet = 0.0 if 0 < when < 40 else 1.0
    sbp = round(_sbp(body, when, law) + quiet * spread["sbp"] * noise[0])
    dbp = round(body.rest.dbp + law.dbp_per_sbp * body.sbp_peak * share + spread["dbp"] * noise[1])
    return Reading(
        nominal=nominal,
        minute=minute,
        hr=round(max(body.rest.hr + body.hr_peak * share + spread["hr"] * noise[2], 46)),
        sbp=sbp,
        dbp=min(dbp, sbp - 10),
        spo2=round(min(body.rest.spo2 + body.spo2_dip * share, 100)),
        rr=round(min(max(body.rest.rr, 9), 22)),
        moaas=_sedation(body, when),
        rass=2 if body.agitated_at == when else -int(_sedation(body, when) < 5),
    )


def _sbp(body: _Body, minute: int, law: Infusion) -> float:
    return body.rest.sbp + body.sbp_peak * _share(minute, law.pressure_share)


def _sedation(body: _Body, minute: int) -> int:
    """MOAA/S: deepest from 30 to 34 min, one step lighter around it, awake again at 90 min."""
    if 30 <= minute < 35:
        return body.deepest
    return min(body.deepest + 1, 5) if 15 <= minute < 90 else 5


def _share(minute: int, shares: dict[int, float]) -> float:
    return float(np.interp(minute, list(shares), list(shares.values())))


def _segments(run: _Run, rate: float, minutes: int) -> Iterator[RateSegment]:
    """Contiguous segments: running until the planned minutes are used up or the infusion is stopped."""
    at, left = 0, minutes
    for start, end in run.holds:
        if start > at:
            yield RateSegment(at, start, rate)
        if end > start:
            yield RateSegment(start, end, 0.0)
        left -= start - at
        at = end
    last = at + left if run.stopped_at is None else run.stopped_at
    if last > at:
        yield RateSegment(at, last, rate)


def _record(
    run: _Run,
    *,
    readings: tuple[Reading, ...],
    weight: float,
    pump: float,
    started_at: datetime,
    design: TrialDesign,
) -> InfusionRecord:
    volume, rate = pump_setting(weight, design)
    segments = tuple(_segments(run, rate, design.infusion_minutes))
    delivered = sum(part.rate_ml_h * (part.end - part.start) / 60 for part in segments)
    ended_at = started_at + timedelta(minutes=segments[-1].end)
    return InfusionRecord(
        started_at=started_at,
        ended_at=ended_at,
        weight_kg=weight,
        planned_volume_ml=volume,
        planned_rate_ml_h=rate,
        pump_volume_ml=round(delivered * pump, 1),
        segments=segments,
        readings=readings,
        rules=tuple(sorted(run.rules, key=lambda event: event.minute)),
        stopped_early=run.stopped_at is not None,
        entered_at=started_at + timedelta(minutes=max(design.clock) + 15),
    )
