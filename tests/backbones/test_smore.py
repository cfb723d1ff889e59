"""SMORE against its paper's formulas, and the conformance suite."""

from cliper.testing.conformance import BackboneConformance


class TestSmore(BackboneConformance):
    backbone = "smore"
    # 40 and 15 of 80 items would be every item of a group and as many strangers.
    options = {"image_neighbours": 8, "text_neighbours": 5}  # noqa: RUF012
