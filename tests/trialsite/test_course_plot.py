"""The course of a participant as a drawing: what is where, and what it says to those who cannot see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from xml.etree import ElementTree

from outcomes.change import Mean
from outcomes.course import Point
from outcomes.group_course import GroupCourse, GroupLine, GroupPoint, Share
from outcomes.measures import Measure
from trialsite.desk.course_plot import course_plot, group_plot
from trialsite.desk.infusion_plot import infusion_plot

MOOD_MEASURE = Measure("mood", "M", "Mood", (("madrs", "total"),))
PAIN = [Point("S", "Pain severity", "BL", -3, 6.0), Point("S", "Pain severity", "W4", 28, 3.5)]
MOOD = [Point("M", "Mood <MADRS>", "BL", -3, 20.0)]


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter() if element.tag == "text"]  # noqa: S314


def test_a_course_without_values_draws_nothing():
    assert course_plot([], "Days from the infusion") == ""


def test_each_measure_has_a_panel_and_each_value_a_title():
    drawing = course_plot([*PAIN, *MOOD], "Days from the infusion")
    assert re.findall(r"<title>([^<]+)</title>", drawing) == [
        "BL: Pain severity 6",
        "W4: Pain severity 3.5",
        "BL: Mood &lt;MADRS&gt; 20",
    ]
    assert {"Pain severity", "Mood <MADRS>", "Days from the infusion"} <= set(texts(drawing))


def test_later_is_further_right_and_more_is_higher_up():
    places = [
        tuple(map(float, pair.split(",")))
        for pair in re.findall(r'points="([^"]+)"', course_plot(PAIN, "Days from the infusion"))[0].split()
    ]
    (x_before, y_before), (x_after, y_after) = places
    assert x_before < x_after
    assert y_before < y_after  # 6 lies above 3.5: the drawing counts from its top


def test_the_infusion_is_marked_only_where_there_was_one():
    assert "stroke-dasharray" in course_plot(PAIN, "Days from the infusion")
    assert "stroke-dasharray" not in course_plot(PAIN, "Days from the first answer")


def test_visits_without_days_stand_in_their_order():
    visits = [Point("S", "Pain severity", "T1", 1, 4.0), Point("S", "Pain severity", "T2", 2, 4.0)]
    assert [text for text in texts(course_plot(visits, "Visits in order")) if text in ("T1", "T2")] == ["T1", "T2"]


def test_the_baseline_stands_across_its_panel_with_the_important_difference_round_it():
    start = Point("S", "Pain", "BL", -3, 6.0, measure="pain", baseline=True)
    later = Point("S", "Pain", "W4", 28, 2.0, measure="pain")
    drawing = course_plot([start, later], "Days from the infusion", {"pain": 1.0})
    [(high, low)] = re.findall(r'class="band" d="M40,([\d.]+)H388V([\d.]+)H40z"', drawing)
    [level] = re.findall(r'class="level" d="M40,([\d.]+)H388"', drawing)
    assert float(high) < float(level) < float(low)
    assert 'class="band"' not in course_plot([start, later], "Days from the infusion")
    assert 'class="level"' not in course_plot(PAIN, "Days from the infusion")


def test_an_infusion_that_is_only_planned_is_not_drawn_as_one_that_was():
    assert "stroke-dasharray" not in course_plot(PAIN, "Days from the planned infusion")


def group_line(*means: Mean) -> GroupLine:
    nothing = Share(0, None)
    points = tuple(
        GroupPoint(f"W{week}", 7.0 * week, week == 0, mean, Mean(0), nothing, nothing, nothing, nothing, nothing)
        for week, mean in enumerate(means)
    )
    return GroupLine(MOOD_MEASURE, "worse", None, None, points)


def test_a_group_is_drawn_as_means_with_intervals_and_without_what_is_too_few():
    course = GroupCourse(9, "Days from the infusion", (group_line(Mean(9, 20.0, 4.0, 17.0, 23.0), Mean(3)),))
    drawing = group_plot(course)
    assert re.findall(r"<title>([^<]+)</title>", drawing) == ["W0: Mood mean 20, n = 9"]
    assert len(re.findall(r'stroke-width="1.5"', drawing)) == 1


def test_a_group_without_means_draws_nothing():
    assert group_plot(GroupCourse(3, "Days from the infusion", (group_line(Mean(3)),))) == ""


def test_infusion_day_has_a_panel_for_the_dose_and_each_vital_sign_read_twice():
    """Hand: two readings of the pulse, one of the pressure (no line yet), a scale without a unit."""
    pulse, pressure, scale = (
        SimpleNamespace(label=n, unit=u) for n, u in (("Pulse", "/min"), ("BP", "mmHg"), ("S", ""))
    )
    at = lambda minute, value: SimpleNamespace(minute=minute, value=Decimal(value))  # noqa: E731
    table = [
        {"parameter": pulse, "cells": [at(0, "70"), at(15, "82.0"), None]},
        {"parameter": pressure, "cells": [at(0, "120"), None]},
        {"parameter": scale, "cells": [at(0, "5"), at(15, "4")]},
    ]
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    ended = SimpleNamespace(
        started_at=start, ended_at=start + timedelta(minutes=40), delivered_volume_ml=Decimal("41.3")
    )
    drawn = infusion_plot(table, ended)
    assert re.findall(r"<title>(.*?)</title>", drawn) == [
        "0 min: 0 mL",
        "40 min: 41.3 mL",
        "0 min: 70 /min",
        "15 min: 82 /min",
    ]
    assert "Volume given" not in infusion_plot(table, None)
    assert infusion_plot(table[1:], ended) == ""


def test_a_panel_has_two_ticks_at_least():
    """From 3.1 to 4.9 whole numbers would leave the 4 alone."""
    drawn = course_plot([Point("S", "Pain", "BL", 0, 3.1), Point("S", "Pain", "W1", 7, 4.9)], "Days from the infusion")
    ticks = re.findall(r'text-anchor="end">([\d.]+)<', drawn)
    assert len(ticks) >= 2
