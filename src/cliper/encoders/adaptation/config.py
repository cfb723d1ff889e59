"""How an encoder is adapted to a catalogue: two kinds, each with the settings that it uses."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from cliper.config import StrictConfig, nearest
from cliper.errors import InputError

AdaptationKind = Literal["projection", "lora"]
KINDS: tuple[AdaptationKind, ...] = get_args(AdaptationKind)


class _Shared(StrictConfig):
    """What both kinds have; the fit draws from `seed` alone."""

    fit_on: Literal["all", "train"] = Field(
        "all", description="items whose content is seen: all, or those with a training interaction"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of split, batches and first values")
    patience: int = Field(5, ge=1, le=1000, description="epochs without a better held-out MRR")
    weight_decay: float = Field(0.01, ge=0, description="pulls towards the pre-trained encoder")
    temperature: float = Field(0.07, ge=0.01, le=1, description="where the learned one starts")
    held_out: float = Field(
        0.1, gt=0, le=0.4, description="share of each of the two held-out parts"
    )
    min_pairs: int = Field(64, ge=10, description="fewer pairs are refused")


class ProjectionAdaptation(_Shared):
    """A residual linear map behind each tower, trained on stored encodings: seconds."""

    kind: Literal["projection"] = "projection"
    max_epochs: int = Field(100, ge=0, le=10_000)
    batch_size: int = Field(256, ge=2, le=65_536)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    max_items: int = Field(20_000, ge=100, description="sampled from a larger catalogue")


class LoraAdaptation(_Shared):
    """Low-rank adapters inside both towers, trained with gradients through them: minutes."""

    kind: Literal["lora"] = "lora"
    max_epochs: int = Field(10, ge=0, le=10_000)
    batch_size: int = Field(64, ge=2, le=65_536)
    learning_rate: float = Field(5e-4, gt=0, le=1)
    max_items: int = Field(5_000, ge=100, description="sampled from a larger catalogue")
    rank: int = Field(8, ge=1, le=1024, description="r of the update B·A")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    layers: Literal["attention", "mlp", "all"] = "all"
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the towers while they train; auto is bfloat16 on CUDA"
    )


AdaptationConfig = ProjectionAdaptation | LoraAdaptation
AnyAdaptation = Annotated[AdaptationConfig, Field(discriminator="kind")]
"""For a field of a larger configuration."""


def adaptation_config(kind: str, **settings: object) -> AdaptationConfig:
    """The settings of one kind, its defaults filled in.

    Raises:
        InputError: an unknown kind, a setting that the kind does not have, a value out of range.

    >>> adaptation_config("projection", max_epochs=3).max_epochs
    3
    >>> adaptation_config("projection", max_epoch=3)
    Traceback (most recent call last):
    ...
    cliper.errors.InputError: encoder.adapt.max_epoch: unknown key (did you mean 'max_epochs'?)
    """
    if kind == "projection":
        return ProjectionAdaptation.parse(settings, where="encoder.adapt")
    if kind == "lora":
        return LoraAdaptation.parse(settings, where="encoder.adapt")
    raise InputError(
        f"unknown adaptation {kind!r}", where="encoder.adapt.kind", remedy=nearest(kind, [*KINDS])
    )


def adapted_name(encoder: str, kind: str) -> str:
    """What an adapted encoder is called in results: `clip-vit-b-32+projection`."""
    return f"{encoder}+{kind}"


def split_name(name: str) -> tuple[str, str | None]:
    """The encoder and the kind of adaptation of a name that `adapted_name` made.

    >>> split_name("clip-vit-b-32+lora"), split_name("models/a+b")
    (('clip-vit-b-32', 'lora'), ('models/a+b', None))
    """
    encoder, plus, kind = name.rpartition("+")
    return (encoder, kind) if plus and kind in KINDS else (name, None)
