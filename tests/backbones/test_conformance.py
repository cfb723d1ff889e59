"""The public conformance suite over every registered backbone."""

import pytest

from cliper.backbones import list_backbones
from cliper.testing.conformance import BackboneConformance


class TestPopularity(BackboneConformance):
    backbone = "popularity"


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
    tested = {c.backbone for c in BackboneConformance.__subclasses__()}
    assert tested == {entry.name for entry in list_backbones()}


@pytest.mark.parametrize("entry", list_backbones(), ids=lambda e: e.name)
def test_every_backbone_says_what_it_is(entry) -> None:
    assert entry.summary and entry.backbone.__doc__
