"""A dataset through an encoder with merged low-rank adapters: fitted once, then encoded anew."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import torch

from cliper.encoders.adaptation.adapt import Chosen, choose, run_fit
from cliper.encoders.adaptation.checkpoint import FitCheckpoint
from cliper.encoders.adaptation.config import LoraAdaptation, adapted_name
from cliper.encoders.adaptation.content import Content, adaptation_folder
from cliper.encoders.adaptation.lora import LowRankAdapters
from cliper.encoders.adaptation.lora_fit import LoraAdapter, cached_pixels
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.base import DualEncoder
from cliper.encoders.store import ABSENT
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.errors import InputError
from cliper.types import BoolArray

LORA_FILE = "lora.safetensors"
CHECKPOINT_FILE = "fit.part.safetensors"

MakeEncoder = Callable[[str], DualEncoder]
"""A dtype's name to the encoder in it."""


def lora_encoder(
    make: MakeEncoder,
    dtype: str,
    root: Path,
    content: Content,
    texts: Sequence[Sequence[str | None]],
    paths: Sequence[Path | None],
    config: LoraAdaptation,
    fit_on: BoolArray | None = None,
) -> tuple[TwoTowerEncoder, AdaptationReport, Path]:
    """Fit the adapters unless they are stored, and merge them into an encoder of its own name.

    The fit goes on after its last epoch when it was interrupted. It runs on float32 weights; the
    merged weights are cast to `dtype` afterwards.

    Args:
        make: makes the encoder that is adapted.
        dtype: of the adapted one.
        root: the store.
        content: of the dataset, pictures that turn out to be useless included.
        texts: C × N.
        paths: (N,) image files.
        config: how to train.
        fit_on: bool (N,), items that the fit may see; all if None.

    Returns:
        The encoder, its report, and the folder of the adaptation.

    Raises:
        InputError: the encoder has no towers that gradients could go through.
    """
    base = _with_towers(make(dtype))
    folder = adaptation_folder(root, base.name, content.key(base.hash), config, fit_on)
    path = folder / LORA_FILE
    full = base if dtype == "float32" else _with_towers(make("float32"))
    if path.is_file():
        adapters, report = LowRankAdapters.load(path), AdaptationReport.load(folder)
    else:
        adapters, report = _fit(full, folder, content, texts, paths, config, fit_on)
        report.write(folder)
        adapters.save(path)  # last: where it is, the report is
        FitCheckpoint(folder / CHECKPOINT_FILE).remove()
    return _merged(base, full, adapters, config), report, folder


def _fit(
    encoder: TwoTowerEncoder,
    folder: Path,
    content: Content,
    texts: Sequence[Sequence[str | None]],
    paths: Sequence[Path | None],
    config: LoraAdaptation,
    fit_on: BoolArray | None,
) -> tuple[LowRankAdapters, AdaptationReport]:
    chosen = choose(content.texts != ABSENT, content.image != ABSENT, config, fit_on)
    files = [path for path in (paths[row] for row in chosen.rows) if path is not None]
    pixels, good = cached_pixels(encoder, files, folder)
    chosen = Chosen(chosen.rows[good], chosen.present[:, good], chosen.left_out)
    here = [[view[row] for row in chosen.rows] for view in texts]
    generator = torch.Generator().manual_seed(config.seed)
    adapter = LoraAdapter(encoder, here, pixels, config, generator)
    fitted, report = run_fit(
        adapter, chosen, *content.groups(chosen.rows), content.names, config,
        encoder=adapted_name(encoder.name, config.kind), device=str(adapter.device),
        checkpoint=FitCheckpoint(folder / CHECKPOINT_FILE),
    )  # fmt: skip
    tensors = {name: fitted.tensors[name] for name in adapter.tensors} if fitted.best_epoch else {}
    return LowRankAdapters(tensors, adapter.adapters.scale), report


def _merged(
    base: TwoTowerEncoder,
    full: TwoTowerEncoder,
    adapters: LowRankAdapters,
    config: LoraAdaptation,
) -> TwoTowerEncoder:
    adapters.merge(full.towers)
    return base.with_towers(
        full.towers,
        name=adapted_name(base.name, config.kind),
        digest=sha256(f"{base.hash}; {adapters.hash}".encode()).hexdigest(),
    )


def _with_towers(encoder: DualEncoder) -> TwoTowerEncoder:
    if not isinstance(encoder, TwoTowerEncoder):
        raise InputError(
            f"{encoder.name!r} has no towers that could be trained",
            where="encoder.adapt.kind",
            remedy="use --adapt projection",
        )
    return encoder
