"""An encoder and what it is adapted by: a `CatalogueEncoder` of either kind."""

from hashlib import sha256
from pathlib import Path

import numpy as np

from cliper.encoders.adaptation.adapt import RECIPE
from cliper.encoders.adaptation.config import AdaptationConfig, adapted_name
from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.content import Content, encoder_folder
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError
from cliper.types import BoolArray


def adapted(settings: EncoderSettings) -> CatalogueEncoder:
    """The encoder that settings name, fitted as their `adapt` says.

    Raises:
        InputError: it cannot be made, or not be fitted so.
    """
    from cliper.encoders.adaptation.low_rank import LowRankEncoder
    from cliper.encoders.adaptation.projected import ProjectedEncoder

    assert settings.adapt is not None
    plain = settings.model_copy(update={"adapt": None})
    if settings.adapt.kind == "lora":
        return LowRankEncoder(plain, settings.adapt)
    return ProjectedEncoder(plain, settings.adapt)


def no_later_items() -> InputError:
    """Why an adapted encoder encodes nothing but its catalogue."""
    return InputError(
        "an adapted encoder cannot take new items yet",
        where="encoder.adapt",
        remedy="train again on a dataset with the new items",
    )


def adaptation_folder(
    content: Content, encoder: DualEncoder, config: AdaptationConfig, fit_on: BoolArray | None
) -> Path:
    """Named by all that decides a fit: encoder, content, settings, recipe, seed, who was seen."""
    base_key = content.key(encoder.hash)
    digest = sha256(f"{RECIPE}; {config.model_dump_json()}; {base_key}".encode())
    if fit_on is not None:
        digest.update(np.packbits(fit_on).tobytes())
    return encoder_folder(content.root, adapted_name(encoder.name, config.kind), digest.hexdigest())
