"""`LowRankEncoder`: an encoder with merged low-rank adapters, fitted once, then encoded anew."""

from hashlib import sha256
from pathlib import Path

import torch

from cliper.encoders.adaptation.adapt import (
    Chosen,
    adaptation_folder,
    choose,
    no_later_items,
    run_fit,
)
from cliper.encoders.adaptation.checkpoint import FitCheckpoint
from cliper.encoders.adaptation.config import LoraAdaptation, adapted_name
from cliper.encoders.adaptation.lora import LowRankAdapters
from cliper.encoders.adaptation.lora_fit import LoraAdapter, cached_pixels
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.assembled import Space
from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import encode_frozen
from cliper.encoders.content import Content
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import create_encoder
from cliper.encoders.rows import StoredRows
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import ABSENT
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.errors import InputError
from cliper.types import BoolArray

LORA_FILE = "lora.safetensors"
CHECKPOINT_FILE = "fit.part.safetensors"


class LowRankEncoder:
    """A `CatalogueEncoder`: a fit through both towers first, then rows of the merged weights.

    The fit goes on after its last epoch when it was interrupted. It runs on float32 weights; the
    merged weights are cast to the settings' precision afterwards.

    Args:
        settings: of the encoder.
        config: how to train.

    Raises:
        InputError: the encoder has no towers that gradients could go through.
    """

    def __init__(self, settings: EncoderSettings, config: LoraAdaptation) -> None:
        self._settings, self._config = settings, config
        self._encoder = _with_towers(create_encoder(settings))
        self.name = adapted_name(self._encoder.name, config.kind)

    def rows(self, root: Path) -> StoredRows:
        """None: every row is one of the fitted towers."""
        raise InputError(
            "lora is fitted and encoded in one process",
            where="encoder.adapt.kind",
            remedy="leave --engine ray out; --adapt projection works under Ray",
        )

    def encode(self, content: Content, report: EncodeReport, fit_on: BoolArray | None) -> Space:
        """See `CatalogueEncoder`; pictures that turn out to be useless may be in `content`."""
        folder = adaptation_folder(content, self._encoder, self._config, fit_on)
        path, full = folder / LORA_FILE, self._encoder
        if self._settings.dtype != "float32":
            exact = self._settings.model_copy(update={"dtype": "float32"})
            full = _with_towers(create_encoder(exact))
        if path.is_file():
            adapters, adaptation = LowRankAdapters.load(path), AdaptationReport.load(folder)
        else:
            adapters, adaptation = self._fit(full, folder, content, fit_on)
            adaptation.write(folder)
            adapters.save(path)  # last: where it is, the report is
            FitCheckpoint(folder / CHECKPOINT_FILE).remove()
        adapters.merge(full.towers)
        digest = sha256(f"{self._encoder.hash}; {adapters.hash}".encode()).hexdigest()
        merged = self._encoder.with_towers(full.towers, name=self.name, digest=digest)
        report.encoder, report.adaptation, report.adaptation_folder = self.name, adaptation, folder
        return encode_frozen(merged, content, report, root=folder)

    def fitted(self, content: Content) -> DualEncoder:
        """None: new items are not taken yet."""
        raise no_later_items()

    def _fit(
        self, encoder: TwoTowerEncoder, folder: Path, content: Content, fit_on: BoolArray | None
    ) -> tuple[LowRankAdapters, AdaptationReport]:
        config = self._config
        chosen = choose(content.keys != ABSENT, content.image != ABSENT, config, fit_on)
        files = [path for path in (content.paths[row] for row in chosen.rows) if path is not None]
        pixels, good = cached_pixels(encoder, files, folder)
        chosen = Chosen(chosen.rows[good], chosen.present[:, good], chosen.left_out)
        here = [[view[row] for row in chosen.rows] for view in content.texts]
        generator = torch.Generator().manual_seed(config.seed)
        adapter = LoraAdapter(encoder, here, pixels, config, generator)
        fitted, report = run_fit(
            adapter, chosen, *content.groups(chosen.rows), content.names, config,
            encoder=self.name, device=str(adapter.device),
            checkpoint=FitCheckpoint(folder / CHECKPOINT_FILE),
        )  # fmt: skip
        best = fitted.tensors if fitted.best_epoch else {}
        tensors = {name: best[name] for name in adapter.tensors if name in best}
        return LowRankAdapters(tensors, adapter.adapters.scale), report


def _with_towers(encoder: DualEncoder) -> TwoTowerEncoder:
    if not isinstance(encoder, TwoTowerEncoder):
        raise InputError(
            f"{encoder.name!r} has no towers that could be trained",
            where="encoder.adapt.kind",
            remedy="use --adapt projection",
        )
    return encoder
