"""SASRec."""
from cliper.testing.conformance import BackboneConformance


class TestSasRec(BackboneConformance):
    backbone = "sasrec"
    options = {"embedding_size": 32, "dropout": 0.2}  # noqa: RUF012
    alternatives = {"max_length": 3}  # noqa: RUF012
