"""Figures: valid, deterministic SVG that follows the page's colours."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cliper.experiments.drawing.figures import (
    Bar,
    Curve,
    comparison_bars,
    training_curves,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "_<b>&\"' $\\frac$ \x00 long " + "y" * 400
CURVES = [
    Curve("vanilla", (1, 2, 3), (0.7, 0.6, 0.5), (0.1, math.nan, 0.2), 3),
    Curve("vanilla", (1, 2), (0.7, 0.6), (0.1, 0.15), 2),
    Curve(HOSTILE, (1, 2, 3), (0.7, 0.5, 0.4), (0.2, 0.3, 0.25), 2),
]


def every_figure() -> list[str]:
    bars = [Bar("vanilla", 0.1, 0.01), Bar(HOSTILE, 0.2, None)]
    return [
        *training_curves(CURVES),
        comparison_bars({"freedom": bars, HOSTILE: bars[:1]}, HOSTILE),
    ]


@pytest.mark.parametrize("index", range(3))
def test_svg_is_valid_and_alone(index: int) -> None:
    svg = every_figure()[index]
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert "width" not in root.attrib
    assert "height" not in root.attrib
    assert len(root.attrib["viewBox"].split()) == 4
    assert root.attrib["role"] == "img"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "g", "path", "use", "text", "defs"} | {
            "clipPath",
            "rect",
        }
        for name, value in element.attrib.items():
            if name.endswith("href"):
                assert value.startswith("#")


def test_colours_are_variables_only() -> None:
    for svg in every_figure():
        assert "#0101" not in svg
        bare = re.sub(r"var\([^)]*\)", "", svg)
        assert not re.findall(r"(?:fill|stroke): ?#[0-9a-f]{6}", bare)


def test_same_data_same_bytes_and_ids_are_unique_on_a_page() -> None:
    first, again = every_figure(), every_figure()
    assert first == again
    ids = [i for svg in first for i in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in first:
        used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
        assert {a or b for a, b in used} <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_curves_show_labels_once_and_values_in_percent() -> None:
    _, recall = training_curves(CURVES)
    texts = [element.text or "" for element in ET.fromstring(recall).iter(f"{SVG}text")]
    assert texts.count("vanilla") == 1
    assert "Validation Recall@20" in texts
    assert any(text.startswith("\u200b_<b>&") for text in texts)
    assert max(float(t) for t in texts if re.fullmatch(r"\d+(\.\d+)?", t)) >= 25


def test_bars_are_as_long_as_their_values() -> None:
    """The second bar stands for twice the first, so its path is twice as high."""
    svg = comparison_bars({"g": [Bar("a", 0.1), Bar("b", 0.2)]}, "t")
    heights = []
    for path in ET.fromstring(svg).iter(f"{SVG}path"):
        numbers = np.array(re.findall(r"-?\d+\.?\d*", path.attrib["d"]), dtype=float)
        style = path.attrib.get("style", "")
        if "var(--fig-1" in style or "var(--fig-2" in style:
            heights.append(float(np.ptp(numbers[1::2])))
    # Bars first, legend swatches after them.
    assert heights[1] == pytest.approx(2 * heights[0], rel=1e-3)
