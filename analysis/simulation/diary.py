"""The daily diary: average, worst and least pain, sleep, rescue doses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from .appointments import Appointments
from .design import TrialDesign
from .draws import FloatArray, clipped_round
from .latent import DAYS, FIRST_DAY
from .parameters import DIMENSIONS, Parameters
from .records import DiaryRecord
from .streams import stream

_S, _M = DIMENSIONS.index("S"), DIMENSIONS.index("M")


@dataclass(frozen=True, slots=True)
class Ratings:
    """What a participant would write on every day of `DAYS`; each array (127,), integers 0-10."""

    average: FloatArray
    worst: FloatArray
    least: FloatArray
    sleep: FloatArray
    late: FloatArray


def diary_days(design: TrialDesign, parameters: Parameters) -> tuple[int, ...]:
    """The days on which the diary is asked, counted from infusion."""
    law = parameters.diary
    late = {
        design.visit(visit).nominal_day - back
        for visit in design.late_visits
        for back in range(1, law.days_before_late_visits + 1)
    }
    return tuple(sorted(set(range(-law.days_before_infusion, law.daily_until + 1)) | late))


def rate_days(seed: int, index: int, z: FloatArray, parameters: Parameters) -> Ratings:
    """The ratings that follow from Z (127, 4): average = clip(round(6.5 + 1.6 Z_S + N(0, .7)), 0, 10)."""
    law, nrs = parameters.diary, parameters.continuous["nrs"]
    rng = stream(seed, "diary", index)
    noise = rng.standard_normal((4, len(DAYS)))
    uniform = rng.random(len(DAYS))
    average = clipped_round(nrs.mean + nrs.slope * z[:, _S] + law.noise * noise[0], 0, 10)
    worst = average + np.abs(law.worst_above.mean + law.worst_above.sd * noise[1])
    least = average - np.abs(law.least_below.mean + law.least_below.sd * noise[2])
    sleep = law.sleep.mean + law.sleep.slope_pain * z[:, _S] + law.sleep.slope_mood * z[:, _M]
    return Ratings(
        average=average,
        worst=clipped_round(worst, average, 10),
        least=clipped_round(least, 0, average),
        sleep=clipped_round(sleep + law.sleep.noise * noise[3], 0, 10),
        late=uniform,
    )


def write_diary(
    ratings: Ratings,
    days: Iterable[int],
    *,
    booked: Appointments,
    rescue_doses: FloatArray,
    parameters: Parameters,
) -> tuple[DiaryRecord, ...]:
    """The diary of the given days, each written in its evening, a few of them late.

    rescue_doses (127,): doses by day of `DAYS`.
    """
    late = parameters.conduct.late_diary
    return tuple(_record(day, ratings, booked, int(rescue_doses[day - FIRST_DAY]), late=late) for day in days)


def _record(day: int, ratings: Ratings, booked: Appointments, doses: int, *, late: float) -> DiaryRecord:
    row = day - FIRST_DAY
    return DiaryRecord(
        day=day,
        on=booked.infusion_date + timedelta(days=day),
        average=int(ratings.average[row]),
        worst=int(ratings.worst[row]),
        least=int(ratings.least[row]),
        sleep=int(ratings.sleep[row]),
        rescue_doses=doses,
        entered_at=_evening(day, float(ratings.late[row]), booked, late),
    )


def _evening(day: int, u: float, booked: Appointments, late: float) -> datetime:
    """Between 19:30 and 22:00; a late one the next morning."""
    if u < late:
        return booked.local(day + 1, 7.5)
    return booked.local(day, 19.5 + 2.5 * (u - late) / (1 - late))
