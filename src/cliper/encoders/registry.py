"""Encoders by name: what there is, what is available here, and how to make one."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cliper.devices import available_device
from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.runtime.choice import check_runtime
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError
from cliper.registry import Registry
from cliper.types import JsonObject

AnyEncoder = DualEncoder | CatalogueEncoder
Factory = Callable[[EncoderSettings], AnyEncoder]


@dataclass(frozen=True)
class EncoderEntry:
    """What is known of an encoder that has a name; see `register_encoder`."""

    name: str
    summary: str
    factory: Factory
    available: Callable[[], bool]
    fitted: bool
    refuse: Callable[[EncoderSettings], None]
    install: str | None


ENCODERS: Registry[EncoderEntry] = Registry("encoder", lambda: ["cliper.encoders.builtin"])


def register_encoder(
    name: str,
    summary: str,
    *,
    available: Callable[[], bool] = lambda: True,
    fitted: bool = False,
    refuse: Callable[[EncoderSettings], None] = lambda settings: None,
    install: str | None = None,
) -> Callable[[Factory], Factory]:
    """Register a factory under a name; used as a decorator.

    Args:
        name: what users type.
        summary: one line for `cliper list encoders`.
        available: whether it works here at once, without a download; must not raise.
        fitted: the factory makes a `CatalogueEncoder`, so it is fitted on what it encodes.
        refuse: raises an `InputError` for a setting that has no effect on it.
        install: what makes it available; None for weights of the hub.

    Raises:
        ValueError: the name is taken.
    """

    def register(factory: Factory) -> Factory:
        ENCODERS.add(name, EncoderEntry(name, summary, factory, available, fitted, refuse, install))
        return factory

    return register


def list_encoders() -> list[JsonObject]:
    """Every encoder that has a name, those of installed packages included.

    Each has `name`, `summary`, and `available`: whether it works without a download.

    >>> [e["name"] for e in list_encoders() if e["name"].startswith("clip")]
    ['clip-vit-b-32', 'clip-vit-l-14', 'clip-rn50']
    """
    return [
        {"name": entry.name, "summary": entry.summary, "available": entry.available()}
        for entry in ENCODERS.all().values()
    ]


def create_encoder(encoder: str | EncoderSettings, **settings: Any) -> DualEncoder:
    """Make an encoder that stands on its own.

    Args:
        encoder: all that is to be said of it, or its name alone.
        settings: other fields of `EncoderSettings`, beside a name.

    Raises:
        InputError: an unknown name or setting, a value out of range, missing weights, an encoder
            that does not exist without a catalogue.

    >>> encoder = create_encoder("clip-vit-b-32", device="auto")  # doctest: +SKIP
    """
    made = open_encoder(EncoderSettings.of(encoder, settings))
    if isinstance(made, CatalogueEncoder):
        raise InputError(
            f"the encoder {made.name!r} is fitted on a catalogue, it does not exist without one",
            remedy="run 'cliper encode DATASET', or call encode_dataset",
        )
    return made


def open_encoder(settings: EncoderSettings) -> AnyEncoder:
    """What settings ask for; with an adaptation, an encoder that is fitted on a catalogue.

    Raises:
        InputError: as from `create_encoder`.
    """
    check_settings(settings)
    device = available_device(settings.device)
    check_runtime(settings.runtime, settings.dtype, torch.device(device).type)
    settings = settings.model_copy(update={"device": device})
    if settings.adapt is None:
        return _factory(settings)(settings)
    from cliper.encoders.adaptation.low_rank import LowRankEncoder
    from cliper.encoders.adaptation.projected import ProjectedEncoder

    plain = settings.model_copy(update={"adapt": None})
    if settings.adapt.kind == "lora":
        return LowRankEncoder(plain, settings.adapt)
    return ProjectedEncoder(plain, settings.adapt)


def check_settings(settings: EncoderSettings) -> None:
    """Refuse what has no effect on the encoder that is named; makes and imports no encoder.

    Raises:
        InputError: names the setting.
    """
    entry = ENCODERS.find(settings.name)
    if entry is not None:
        entry.refuse(settings)
        if entry.fitted and settings.adapt is not None:
            raise InputError(
                f"{settings.name!r} is fitted on the catalogue already, there is nothing to adapt "
                "it to",
                where="encoder.adapt",
                remedy="leave it out, or adapt a pre-trained encoder",
            )
    check_runtime(settings.runtime, settings.dtype, settings.device.partition(":")[0])


def is_fitted(settings: EncoderSettings) -> bool:
    """Whether the encoder is fitted on the catalogue, so that its views and pictures decide it."""
    entry = ENCODERS.find(settings.name)
    return settings.adapt is not None or (entry is not None and entry.fitted)


def _factory(settings: EncoderSettings) -> Factory:
    name = settings.name
    if (entry := ENCODERS.find(name)) is not None:
        return entry.factory
    from cliper.encoders.loading import from_hub, from_path

    if name.startswith("hf:"):
        return partial(from_hub, name, name.removeprefix("hf:"))
    path = Path(name).expanduser()
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or "/" in name:
        if settings.weights is not None:
            raise InputError(
                f"{name!r} is a path itself, other weights would have no effect",
                where="encoder.weights",
                remedy="leave one of the two out",
            )
        return partial(from_path, path.name, path)
    known = list(ENCODERS.all())
    near = difflib.get_close_matches(name.lower(), known, n=1)
    every = ", ".join(known)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {every}, hf:ORG/NAME, or a path"
    raise InputError(f"unknown encoder {name!r}", remedy=hint)
