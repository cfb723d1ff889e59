"""PGL against its paper's formulas, and the conformance suite."""

from cliper.testing.conformance import BackboneConformance


class TestPgl(BackboneConformance):
    backbone = "pgl"
    conditions = {"rank": {"principal": "global", "rank": 4}}  # noqa: RUF012
    alternatives = {"rank": 3}  # noqa: RUF012


class TestPglGlobal(BackboneConformance):
    backbone = "pgl"
    options = {"principal": "global", "rank": 6}  # noqa: RUF012
    conditions = {"edge_dropout": {"principal": "local"}}  # noqa: RUF012
    alternatives = {"principal": "local"}  # noqa: RUF012
