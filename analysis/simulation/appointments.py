"""When things happen: consent, baseline, infusion and visits, in the site's time zone, stored in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from .design import PlannedVisit, TrialDesign
from .draws import FloatArray, lognormal, normal, truncated
from .parameters import Conduct, Normal, Parameters
from .streams import stream

_MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Appointments:
    """One candidate's fixed points. zone: the site's time zone; baseline_day: negative, from infusion."""

    zone: ZoneInfo
    consented_at: datetime
    screened_at: datetime
    baseline_day: int
    baseline_at: datetime
    randomised_at: datetime
    infusion_at: datetime

    @property
    def infusion_date(self) -> date:
        """Day 0 in the site's time zone."""
        return self.infusion_at.astimezone(self.zone).date()

    @property
    def screening_day(self) -> int:
        """The day of consent and screening, negative, from infusion."""
        return (self.consented_at.astimezone(self.zone).date() - self.infusion_date).days

    def local(self, day: int, hour: float) -> datetime:
        """The UTC time of a local hour on a day counted from infusion, to five minutes."""
        return _at(self.infusion_date + timedelta(days=day), hour, self.zone)

    def day_of(self, moment: datetime) -> int:
        """The local calendar day of a moment, counted from infusion."""
        return (moment.astimezone(self.zone).date() - self.infusion_date).days


def waiting_days(seed: int, index: int, parameters: Parameters) -> float:
    """Days between a candidate and the one before: exponential, so that each site recruits as a Poisson
    process with its share of the rate (thinning)."""
    rate = parameters.recruitment.per_month / _MONTH_DAYS
    return float(stream(seed, "recruitment", index).exponential(1 / rate))


def book(
    seed: int, index: int, *, consent_day: float, site: int, design: TrialDesign, parameters: Parameters
) -> Appointments:
    """A candidate's appointments. consent_day: days after the trial's start, fractions allowed."""
    u = stream(seed, "visits", index).random(8)
    zone = ZoneInfo(design.sites[site].timezone)
    hours = parameters.conduct.hour
    consent = _weekday(design.start + timedelta(days=int(consent_day)), 1)
    infusion = consent + timedelta(days=_lag(u[0], consent, parameters.recruitment.consent_to_infusion_days))
    baseline = _baseline_day(u[1], infusion, design.visit(design.baseline))
    consented_at = _at(consent, truncated(u[2], hours), zone)
    infusion_at = _at(infusion, truncated(u[4], parameters.conduct.infusion_hour), zone)
    return Appointments(
        zone=zone,
        consented_at=consented_at,
        screened_at=consented_at + timedelta(minutes=20 + int(u[5] * 40)),
        baseline_day=baseline,
        baseline_at=_at(infusion + timedelta(days=baseline), truncated(u[3], hours), zone),
        randomised_at=infusion_at - timedelta(minutes=40 + int(u[6] * 50)),
        infusion_at=infusion_at,
    )


def follow_up(u: FloatArray, visit: PlannedVisit, booked: Appointments, conduct: Conduct) -> datetime:
    """The start of a visit after infusion: its nominal day with some jitter, on a weekday.

    u (2,): uniform numbers. A visit planned for the first day has no jitter in days, only an hour.
    """
    half = min(visit.nominal_day - visit.earliest, visit.latest - visit.nominal_day)
    off = normal(u[0], Normal(mean=0, sd=conduct.window_sd_share * half)) if half else 0.0
    day = visit.nominal_day + round(min(max(off, -2 * half), 2 * half))
    if half:
        day = _weekday_towards(booked.infusion_date, day, visit.nominal_day)
    return booked.local(max(day, 1), truncated(u[1], conduct.hour))


def is_in_window(visit: PlannedVisit, at: datetime, booked: Appointments) -> bool:
    """Whether a visit's local day lies in its window."""
    return visit.earliest <= booked.day_of(at) <= visit.latest


class Desk:
    """Data entry at a site: most forms the same day, some of them days later.

    rng: the stream that the delays come from, two numbers a form.
    """

    def __init__(self, rng: np.random.Generator, conduct: Conduct) -> None:
        self._rng, self._conduct = rng, conduct

    def entered(self, completed: datetime) -> datetime:
        """When a form completed at this time is entered."""
        late, delay = self._rng.random(2)
        if late < self._conduct.late_entry:
            days = lognormal(delay, self._conduct.late_entry_days)
            return completed + timedelta(minutes=round(days * 24 * 60))
        return completed + timedelta(minutes=5 + int(delay * 120))


def _lag(u: float, consent: date, limits: tuple[int, int]) -> int:
    """Days from consent to infusion, uniform, on a weekday and never beyond the screening period."""
    low, high = limits
    lag = low + int(u * (high - low + 1))
    wanted = consent + timedelta(days=lag)
    later = (_weekday(wanted, 1) - consent).days
    return later if later <= high else (_weekday(wanted, -1) - consent).days


def _baseline_day(u: float, infusion: date, visit: PlannedVisit) -> int:
    days = range(visit.earliest, visit.latest + 1)
    weekdays = [day for day in days if (infusion + timedelta(days=day)).weekday() < 5]
    return weekdays[int(u * len(weekdays))]


def _weekday(day: date, step: int) -> date:
    while day.weekday() >= 5:
        day += timedelta(days=step)
    return day


def _weekday_towards(start: date, day: int, target: int) -> int:
    while (start + timedelta(days=day)).weekday() >= 5 and day != target:
        day += 1 if day < target else -1
    return day


def _at(day: date, hour: float, zone: ZoneInfo) -> datetime:
    minutes = 5 * int(hour * 12)
    local = datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=zone)
    return local.astimezone(UTC)
