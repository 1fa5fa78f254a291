"""Windows on the site's clock: midnight, daylight saving, elapsed hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.protocol.windows import Window, days_window, hours_window
from tests.studies.protocol.kalm import kalm

# Zones that change at different hours, at midnight itself (Beirut, Havana, Sao Paulo until 2019), by half an
# hour (Lord Howe), never (Perth), and one that once skipped a whole day (Apia, 30 December 2011).
ZONES = [
    "Europe/Berlin",
    "America/Toronto",
    "Australia/Perth",
    "Asia/Beirut",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(2010, 1, 1), date(2037, 12, 31))
minutes = st.integers(-100 * 1440, 100 * 1440)
DAY_VISITS = [visit.id for visit in kalm().visits if visit.calendar_days and not visit.hours_after_infusion_end]


@given(zones, days, minutes, st.sampled_from(DAY_VISITS))
def test_a_moment_is_in_the_window_exactly_when_its_date_at_the_site_is(zone, day0, minute, code):
    # Oracle: the calendar. The local date of the moment, counted from day 0.
    window = kalm().window(code, day0, None, zone)
    moment = datetime.combine(day0, datetime.min.time(), tzinfo=UTC) + timedelta(minutes=minute)
    first, last = kalm().visit(code).calendar_days
    day = (moment.astimezone(zone).date() - day0).days
    assert window.contains(moment) is (first <= day <= last)


@given(zones, days, st.integers(0, 36 * 60), st.integers(0, 60 * 60))
def test_day_one_is_elapsed_hours_whatever_the_clocks_do(zone, day0, end_minute, later):
    # Oracle: subtraction of moments in UTC.
    end = datetime.combine(day0, datetime.min.time(), tzinfo=zone).astimezone(UTC) + timedelta(minutes=end_minute)
    window = kalm().window("D1", day0, end.astimezone(zone), zone)
    moment = (end + timedelta(minutes=later)).astimezone(zone)
    assert window.contains(moment) is (18 * 60 <= later <= 30 * 60)
    assert window.target == day0 + timedelta(days=1)


@given(zones, days, st.integers(0, 24 * 60 - 1), minutes)
def test_no_moment_lies_in_the_windows_of_two_visits(zone, day0, end_minute, minute):
    start = datetime.combine(day0, datetime.min.time(), tzinfo=zone).astimezone(UTC)
    end, moment = start + timedelta(minutes=end_minute), start + timedelta(minutes=minute)
    # Day 0 itself and day 1 are told apart by the infusion: 18 hours after an early end it is still day 0.
    codes = [visit.id for visit in kalm().visits if visit.calendar_days and visit.id != "D0"]
    assert sum(kalm().window(code, day0, end, zone).contains(moment) for code in codes) <= 1


@given(zones, days, st.sampled_from(DAY_VISITS))
def test_windows_are_given_in_utc_with_their_target_inside(zone, day0, code):
    window = kalm().window(code, day0, None, zone)
    assert window.opens.tzinfo is window.closes.tzinfo is UTC
    assert window.opens.astimezone(zone).date() <= window.target < window.closes.astimezone(zone).date()


def test_a_window_over_the_end_of_summer_time_is_an_hour_longer():
    # Week 1 round 25 October 2026, when Berlin's clocks go back: 3 days and an hour.
    window = kalm().window("W1", date(2026, 10, 18), None, "Europe/Berlin")
    assert window.closes - window.opens == timedelta(days=3, hours=1)
    assert window.opens == datetime(2026, 10, 23, 22, tzinfo=UTC)
    assert window.closes == datetime(2026, 10, 26, 23, tzinfo=UTC)


def test_the_same_visit_opens_hours_earlier_in_perth_than_in_toronto():
    perth = kalm().window("W4", date(2026, 3, 2), None, "Australia/Perth")
    toronto = kalm().window("W4", date(2026, 3, 2), None, "America/Toronto")
    # Summer time has begun in Toronto by then: UTC-4 against UTC+8.
    assert toronto.opens - perth.opens == timedelta(hours=12)
    assert perth.target == toronto.target == date(2026, 3, 30)


def test_a_visit_at_half_past_eleven_in_the_evening_of_the_last_day_is_in_time():
    window = kalm().window("W1", date(2026, 3, 2), None, "Australia/Perth")
    zone = ZoneInfo("Australia/Perth")
    assert window.deviation(datetime(2026, 3, 10, 23, 30, tzinfo=zone)) is None
    assert window.deviation(datetime(2026, 3, 11, 0, 0, tzinfo=zone)) == "minor"


@pytest.mark.parametrize(
    ("days_late", "severity"),
    [(3, None), (4, "minor"), (6, "minor"), (7, "major"), (-3, None), (-6, "minor"), (-7, "major")],
)
def test_a_deviation_beyond_twice_the_window_is_major(days_late, severity):
    # Week 4 is day 28 plus or minus 3 days: twice the window is 6 days.
    zone = ZoneInfo("Europe/Berlin")
    window = kalm().window("W4", date(2026, 3, 2), None, zone)
    noon = datetime(2026, 3, 30, 12, tzinfo=zone) + timedelta(days=days_late)
    assert window.deviation(noon) == severity


@pytest.mark.parametrize(
    ("hours", "severity"),
    [(18, None), (30, None), (17.9, "minor"), (36, "minor"), (36.1, "major"), (11.9, "major")],
)
def test_day_one_is_minor_within_twice_its_window_of_six_hours(hours, severity):
    end = datetime(2026, 3, 2, 11, 40, tzinfo=UTC)
    window = kalm().window("D1", date(2026, 3, 2), end, "Europe/Berlin")
    assert window.deviation(end + timedelta(hours=hours)) == severity


def test_a_window_that_is_not_known_yet_forbids_nothing():
    assert kalm().window("W4", None, None, "Europe/Berlin") == Window()
    day1 = kalm().window("D1", date(2026, 3, 2), None, "Europe/Berlin")
    assert day1 == Window(target=date(2026, 3, 3))
    assert kalm().window("UNS", date(2026, 3, 2), None, "Europe/Berlin") == Window()
    assert Window().deviation(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_an_end_of_infusion_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="needs a time zone"):
        hours_window(datetime(2026, 3, 2, 11), first=18, last=30, target=None)  # noqa: DTZ001


def test_a_day_that_a_site_skipped_has_no_hours():
    # Samoa went from 29 to 31 December 2011 when it crossed the date line.
    window = days_window(date(2011, 12, 29), first=1, last=1, target=1, zone=ZoneInfo("Pacific/Apia"))
    assert window.closes - window.opens <= timedelta(0)
