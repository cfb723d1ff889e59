"""`EncoderSettings`: which encoder, and how it runs; made once and handed down to the towers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cliper.config import PathSetting, StrictConfig
from cliper.encoders.adaptation.config import AnyAdaptation
from cliper.encoders.limits import LongText
from cliper.encoders.runtime.choice import Runtime
from cliper.errors import InputError

RUNNING = ("device", "dtype", "batch_size", "runtime")
"""How an encoder runs, whichever it is."""


class EncoderSettings(StrictConfig):
    """The section `encoder` of an experiment, and what `create_encoder` takes.

    A file's or the command line's section, and `create_encoder`'s arguments, become one of these;
    nothing between there and the towers takes it apart.

    >>> EncoderSettings.parse({"name": "clip-vit-b-32", "batch_size": 64}).dtype
    'float32'
    """

    name: str = Field(
        "embedded",
        description="a name of `list_encoders`; hf:ORG/NAME[@REVISION]; or a model's path: a folder"
        " in transformers' layout, a state dict in OpenAI's",
    )
    weights: Annotated[PathSetting, AfterValidator(Path.expanduser)] | None = Field(
        None, description="folder or file instead of the hub's cache"
    )
    device: str = Field(
        "cpu", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$", description="auto is the best there is"
    )
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = Field(
        "float32", description="in which the towers compute; results are float32"
    )
    batch_size: Annotated[int, Field(ge=1, le=65536)] | Literal["auto"] = Field(
        "auto", description="images at once; auto goes by the memory there is"
    )
    runtime: Runtime = Field("torch", description="what computes the networks")
    long_text: LongText = Field(
        "truncate", description="beyond the limit: as the paper, or the mean over chunks"
    )
    allow_download: bool = Field(False, description="fetch a hub model that is not cached")
    adapt: AnyAdaptation | None = Field(None, description="adapt it to the catalogue first")
    graphs: PathSetting | None = Field(
        None,
        exclude=True,  # decides no number
        description="where onnx keeps the graphs that it makes; the dataset's store, or a "
        "temporary folder without one",
    )

    @classmethod
    def of(cls, encoder: "str | EncoderSettings", more: Mapping[str, Any]) -> "EncoderSettings":
        """The settings of a name with other fields, or settings as they are.

        Raises:
            InputError: an unknown field, a value out of range, fields beside settings.

        >>> EncoderSettings.of("embedded", {"device": "auto"}).device
        'auto'
        """
        if isinstance(encoder, str):
            return cls.parse({"name": encoder, **more}, where="encoder")
        if more:
            raise InputError(
                "stands beside settings that are given whole",
                where=f"encoder.{next(iter(more))}",
                remedy="set it there",
            )
        return encoder
