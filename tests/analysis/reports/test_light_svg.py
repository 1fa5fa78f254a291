"""Drawings made lighter: nothing that can be seen goes, nothing a strict policy refuses stays."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from analysis.reports.drawing import apart, arm_style, canvas, label_at
from analysis.reports.light_svg import lighter


def drawn(**style: Any) -> str:
    with canvas() as (axes, drawing):
        axes.plot([0, 1, 2], [0, 1, 0.5], **style)
        label_at(axes, 2, 0.5, "A & B", "#0072b2")
        axes.bar(1, 0.5, hatch="////", color="white", edgecolor="#d5dadf")
    return drawing.svg


def test_it_is_one_whole_drawing_without_style_layers_or_names_nobody_uses():
    svg = drawn(**arm_style(0))
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - made here
    assert not re.search(r"style|<metadata|<!--|\n|<g>", svg)
    used = set(re.findall(r"url\(#(\w+)\)", svg))
    assert used
    assert used == set(re.findall(r'id="(\w+)"', svg))
    assert ">A &amp; B<" in svg


@pytest.mark.parametrize(("arm", "ends"), [(0, "round"), (1, "square")])
def test_a_round_or_square_mark_is_a_dot_of_the_same_size(arm, ends):
    """Matplotlib draws it 5.5 points wide with a pen of 1 around it."""
    [dots] = [each for each in re.findall(r"<path[^>]*>", drawn(**arm_style(arm))) if "h.01" in each]
    assert dots.count("h.01") == 3
    assert f'stroke-linecap="{ends}"' in dots
    assert 'stroke-width="6.5"' in dots


def test_other_marks_are_drawn_where_they_stand():
    [marks] = re.findall(r'<path d="((?:M[\d. ]+(?:l-?[\d.]+ -?[\d.]+|[hv]-?[\d.]+){2,3}z){3})"', drawn(**arm_style(2)))
    # A triangle: up, to the right and down, to the left, and closed.
    assert marks.count("z") == 3


def test_steps_of_a_path_keep_a_tenth_of_a_point():
    path = '<path d="M 1.23456 50 L 1.23456 20.57 L 30.16 20.57" style="fill: none; stroke: #000000"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99">{path}</svg>'
    assert 'd="M1.2 50V20.6H30.2"' in lighter(svg)


def test_lines_that_are_seen_through_are_not_drawn_as_one():
    path = '<path d="M 0 50 L 90 50" style="fill: none; stroke: #000000; opacity: 0.5"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99">{path}{path}</svg>'
    assert lighter(svg).count("<path") == 2
    assert lighter(svg.replace("; opacity: 0.5", "")).count("<path") == 1


def test_labels_that_would_overlap_are_moved_apart_as_little_as_needed():
    assert apart([1.0, 5.0], 1.0) == [1.0, 5.0]
    assert apart([2.0, 2.0], 1.0) == [1.5, 2.5]
    assert apart([], 1.0) == []
