"""The public conformance suite over the first backbones; each newer one has its own file."""

import re
from pathlib import Path

import pytest

from cliper.backbones import list_backbones
from cliper.testing.conformance import BackboneConformance


class TestPopularity(BackboneConformance):
    backbone = "popularity"
    warm_share = None  # the measure that the others are held against


class TestBpr(BackboneConformance):
    backbone = "bpr"


class TestLightGcn(BackboneConformance):
    backbone = "lightgcn"


class TestVbpr(BackboneConformance):
    backbone = "vbpr"


class TestFreedom(BackboneConformance):
    backbone = "freedom"
    options = {"edge_dropout": 0.3, "modality_weight": 0.1}  # noqa: RUF012


def test_no_backbone_is_left_out() -> None:
    """Every registered backbone is held to the suite in some file of this folder."""
    held = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        classes = re.split(r"^class ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
        for body in classes:
            if re.match(r"Test\w+\(BackboneConformance\)", body):
                held |= set(re.findall(r'^    backbone = "([\w-]+)"', body, re.MULTILINE))
    assert held == {entry.name for entry in list_backbones()}


@pytest.mark.parametrize("entry", list_backbones(), ids=lambda e: e.name)
def test_every_backbone_says_what_it_is(entry) -> None:
    assert entry.summary and entry.backbone.__doc__


def test_every_backbone_is_found_by_its_name() -> None:
    """A model is imported from the file of its name, so the two must agree."""
    for entry in list_backbones():
        assert entry.backbone.__module__ == f"cliper.backbones.{entry.name.replace('-', '_')}"
