"""Encoding on many machines: the same chunks, encoded elsewhere, in the same store (ADR 0023)."""

from cliper.encoders.distributed.encode import encode_on_ray
from cliper.encoders.distributed.report import DistributedReport

__all__ = ["DistributedReport", "encode_on_ray"]
