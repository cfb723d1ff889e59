"""Figures of studies: valid and deterministic, and as long as their numbers."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cliper.experiments.drawing.style import standalone
from cliper.experiments.studies.figures import (
    Point,
    difference_dots,
    difference_lines,
    rank_heatmap,
)

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [Point("one", 0.02, 0.01, 0.04), Point("_two & <b>", -0.01, -0.03, 0.0)]


def figures() -> list[str]:
    return [
        difference_dots(POINTS, "Dots", "points"),
        difference_lines({"a": POINTS, "b": POINTS[:1]}, "Lines", "x", "y"),
        rank_heatmap(np.array([[1200, 3], [3, 1200]]), [3, 1200], ["title", "_b"], "Ranks"),
    ]


@pytest.mark.parametrize("index", range(3))
def test_svg_stands_alone_and_in_a_page(index: int) -> None:
    svg = figures()[index]
    assert svg == figures()[index]
    root = ET.fromstring(standalone(svg))
    assert root.tag == f"{SVG}svg" and "viewBox" in root.attrib
    bare = re.sub(r"var\([^)]*\)", "", svg)
    assert not re.findall(r"(?:fill|stroke): ?#[0-9a-f]{6}", bare)
    assert "prefers-color-scheme:dark" in standalone(svg)


def test_the_heatmap_shows_its_counts_and_the_sums_below() -> None:
    texts = [e.text for e in ET.fromstring(figures()[2]).iter(f"{SVG}text")]
    assert texts.count("1,200") == 3 and texts.count("3") == 3
    assert "sum" in texts and "title" in texts


def test_a_difference_twice_as_large_lies_twice_as_far() -> None:
    points = [Point("a", 0.01, 0.0, 0.02), Point("b", 0.02, 0.01, 0.03), Point("c", 0, 0, 0)]
    svg = difference_dots(points, "t", "x")
    x = [
        float(mark.attrib["x"])
        for mark in ET.fromstring(svg).iter(f"{SVG}use")
        if "fill: var(--fig-2" in mark.attrib.get("style", "")
    ]
    dots = x[-3:]  # the ends of the intervals come before
    assert dots[1] - dots[2] == pytest.approx(2 * (dots[0] - dots[2]), rel=0.01)
