"""Encoders by name: what there is, what is available here, and how to make one."""

import difflib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

import torch

from cliper.encoders.base import DualEncoder
from cliper.encoders.limits import LONG_TEXT_RULES, LongText
from cliper.encoders.runtime.batching import BatchSize, checked_batch_size
from cliper.encoders.runtime.choice import check_runtime
from cliper.errors import InputError
from cliper.types import JsonObject

ENTRY_POINTS = "cliper.encoders"


@dataclass(frozen=True)
class EncoderOptions:
    """What a person may choose about any encoder; see `create_encoder`."""

    weights: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    batch_size: BatchSize = "auto"
    long_text: LongText = "truncate"
    runtime: str = "torch"
    graphs: Path | None = None
    allow_download: bool = False


Factory = Callable[[EncoderOptions], DualEncoder]
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True)
class _Entry:
    summary: str
    factory: Factory
    available: Callable[[], bool]


_ENTRIES: dict[str, _Entry] = {}


def register_encoder(
    name: str, summary: str, *, available: Callable[[], bool] = lambda: True
) -> Callable[[Factory], Factory]:
    """Register a factory under a name; used as a decorator.

    Args:
        name: what users type.
        summary: one line for `cliper list encoders`.
        available: whether it works here at once, without a download; must not raise.

    Raises:
        ValueError: the name is taken.
    """

    def register(factory: Factory) -> Factory:
        if name in _ENTRIES:
            raise ValueError(f"an encoder named {name!r} exists")
        _ENTRIES[name] = _Entry(summary, factory, available)
        return factory

    return register


def list_encoders() -> list[JsonObject]:
    """Every encoder that has a name, those of installed packages included.

    Each has `name`, `summary`, and `available`: whether it works without a download.

    >>> [e["name"] for e in list_encoders() if e["name"].startswith("clip")]
    ['clip-vit-b-32', 'clip-vit-l-14', 'clip-rn50']
    """
    _load_builtin()
    return [
        {"name": name, "summary": entry.summary, "available": entry.available()}
        for name, entry in _ENTRIES.items()
    ]


def create_encoder(
    name: str,
    *,
    weights: Path | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: BatchSize = "auto",
    long_text: LongText = "truncate",
    runtime: str = "torch",
    graphs: Path | None = None,
    allow_download: bool = False,
) -> DualEncoder:
    """Make an encoder.

    Args:
        name: a name of `list_encoders`; `hf:ORG/NAME`, or `hf:ORG/NAME@REVISION` for a branch, a
            tag or a commit; or the path of a model: a folder in `transformers`' layout, or a
            state dict (`.pt`, `.safetensors`) in OpenAI's (CLIP, Long-CLIP, open_clip).
        weights: such a path, to be used under `name` instead of the hub's.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best there is.
        dtype: in which the towers compute; the result is float32.
        batch_size: images at once; texts get as many tokens as that many longest texts have.
            `auto` goes by the memory there is (`cliper.encoders.runtime.batching`).
        long_text: beyond the limit, `truncate` (the paper) or `chunk-mean`.
        runtime: `torch`, or `onnx` for ONNX Runtime on a CPU, which alone computes in `int8`.
        graphs: where `onnx` keeps the graphs that it makes; None for a temporary folder.
        allow_download: the hub may be asked for what is not in the local cache.

    Raises:
        InputError: an unknown name, a value out of range, missing weights.
    """
    _load_builtin()
    options = EncoderOptions(
        weights=Path(weights).expanduser() if weights is not None else None,
        device=available_device(device),
        dtype=dtype,
        batch_size=checked_batch_size(batch_size),
        long_text=_one_of("long_text", long_text, LONG_TEXT_RULES),
        runtime=runtime,
        graphs=graphs,
        allow_download=allow_download,
    )
    check_runtime(runtime, dtype, torch.device(options.device).type)
    if name in _ENTRIES:
        return _ENTRIES[name].factory(options)
    from cliper.encoders.loading import from_hub, from_path

    if name.startswith("hf:"):
        return from_hub(name, name.removeprefix("hf:"), options)
    path = Path(name).expanduser()
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or "/" in name:
        if weights is not None:
            raise InputError(
                f"{name!r} is a path itself, other weights would have no effect",
                where="encoder.weights",
                remedy="leave one of the two out",
            )
        return from_path(path.name, path, options)
    near = difflib.get_close_matches(name.lower(), _ENTRIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {_names()}, hf:ORG/NAME, or a path"
    raise InputError(f"unknown encoder {name!r}", remedy=hint)


def _load_builtin() -> None:
    # Here, not at the top: each family's module registers itself with this one.
    import cliper.encoders.builtin  # noqa: F401

    _load_installed()


@cache
def _load_installed() -> None:
    """Import the modules that installed packages name under the entry point; they register.

    A package that cannot be imported takes nothing else down: what is wrong is said once.
    """
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        try:
            point.load()
        except Exception as error:
            warnings.warn(
                f"the encoder package {point.value!r} cannot be loaded: {error}", stacklevel=2
            )


def _names() -> str:
    return ", ".join(_ENTRIES)


def _one_of(what: str, value: Choice, allowed: tuple[Choice, ...]) -> Choice:
    if value not in allowed:
        raise InputError(f"unknown {what} {value!r}", remedy=f"one of {', '.join(allowed)}")
    return value


def available_device(name: str) -> str:
    """`name`, or the best device for `auto`; one that is not here is an `InputError`."""
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}", remedy="cpu, cuda, mps or auto") from None
    absent = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent or device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device {name!r} is not available here", remedy="use cpu or auto")
    return name
