"""The course of a participant as a drawing: what is where, and what it says to those who cannot see it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from outcomes.course import Point
from trialsite.desk.course_plot import course_plot

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
