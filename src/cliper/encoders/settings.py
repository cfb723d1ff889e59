"""`EncoderSettings`: which encoder, and how it runs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cliper.config import StrictConfig
from cliper.encoders.adaptation.config import AnyAdaptation
from cliper.encoders.runtime.choice import Runtime

RUNNING = ("device", "dtype", "batch_size", "runtime")
"""How an encoder runs, whichever it is."""


class EncoderSettings(StrictConfig):
    """The section `encoder` of an experiment, which is also what the command line makes."""

    name: str = "embedded"
    weights: str | None = Field(None, description="folder or file instead of the hub's cache")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?|mps)$")
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    batch_size: Annotated[int, Field(ge=1, le=65536)] | Literal["auto"] = Field(
        "auto", description="images at once; auto goes by the memory there is"
    )
    runtime: Runtime = Field("torch", description="what computes the networks")
    long_text: Literal["truncate", "chunk-mean"] = "truncate"
    allow_download: bool = Field(False, description="fetch a hub model that is not cached")
    adapt: AnyAdaptation | None = Field(None, description="adapt it to the catalogue first")

    @property
    def weights_path(self) -> Path | None:
        """`weights` as a path."""
        return None if self.weights is None else Path(self.weights).expanduser()
