"""GRU4Rec."""
from cliper.testing.conformance import BackboneConformance


class TestGru4Rec(BackboneConformance):
    backbone = "gru4rec"
    options = {"embedding_size": 32, "dropout": 0.2}  # noqa: RUF012
    alternatives = {"max_length": 3}  # noqa: RUF012
