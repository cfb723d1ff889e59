"""`adapt_encodings`: encodings of a frozen encoder, adapted to their own catalogue, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from cliper.encoders.adaptation.checkpoint import FitCheckpoint
from cliper.encoders.adaptation.config import (
    AdaptationConfig,
    ProjectionAdaptation,
    adapted_name,
)
from cliper.encoders.adaptation.loop import LOG_SCALE, Adapter, Fitted, fit
from cliper.encoders.adaptation.projection import Projection, ProjectionAdapter
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.base import DualEncoder, Encodings
from cliper.encoders.content import Content, encoder_folder
from cliper.encoders.pairs import PairSplit, PairTable, choose_pairs, row_groups, split_pairs
from cliper.errors import InputError, MismatchError
from cliper.types import BoolArray, IndexArray

RECIPE = 1
"""Raised whenever a fit's code changes its results, so that stored fits are not mistaken."""


@dataclass(frozen=True, eq=False)
class Adapted:
    """What `adapt_encodings` gives.

    Attributes:
        encodings: the adapted ones, under a name and key of their own.
        projection: the fitted maps.
        report: retrieval before and after.
    """

    encodings: Encodings
    projection: Projection
    report: AdaptationReport


def adapt_encodings(
    encodings: Encodings,
    config: ProjectionAdaptation | None = None,
    *,
    fit_on: BoolArray | None = None,
    text_groups: IndexArray | None = None,
    image_groups: IndexArray | None = None,
    device: str = "cpu",
) -> Adapted:
    """Fit a projection on encodings and apply it to all of them.

    Items take part that have a picture and at least one text. Interactions play no part.

    Args:
        encodings: of a frozen encoder, e.g. from `encode_dataset`.
        config: how to train.
        fit_on: bool (N,), items whose content the fit may see; all by default.
        text_groups: int64 (C, N), equal where two texts of a view are equal. By default found from
            the rows' bytes, as an encoder gives equal texts equal rows; pass them where rows went
            through a matrix product since, which may change the last bit from row to row.
        image_groups: int64 (N,), the same for pictures.
        device: where to train.

    Raises:
        InputError: fewer than `config.min_pairs` pairs.
        MismatchError: `fit_on` is of another length.

    >>> rng = np.random.default_rng(0)
    >>> text = rng.normal(size=(1, 200, 8)).astype(np.float32)
    >>> image = (text[0] @ np.linalg.qr(rng.normal(size=(8, 8)))[0]).astype(np.float32)
    >>> everything = np.ones((1, 200), bool)
    >>> e = Encodings("h", "toy", "k", ("title",), text, everything, image, everything[0])
    >>> adapted = adapt_encodings(e, ProjectionAdaptation(learning_rate=0.01))
    >>> adapted.encodings.encoder, adapted.report.after.overall.mrr > 0.9
    ('toy+projection', True)
    """
    config = config or ProjectionAdaptation()
    chosen = choose(encodings.text_present, encodings.image_present, config, fit_on)
    rows = chosen.rows
    if text_groups is None:
        views = zip(encodings.text, encodings.text_present, strict=True)
        texts = np.stack([row_groups(text[rows], present[rows]) for text, present in views])
    else:
        texts = text_groups[:, rows]
    every = np.ones(len(rows), dtype=np.bool_)
    pictures = (
        row_groups(encodings.image[rows], every) if image_groups is None else image_groups[rows]
    )
    projection, report = fit_projection(encodings, chosen, texts, pictures, config, device=device)
    key = sha256(f"{encodings.key}; {projection.hash}".encode()).hexdigest()
    adapted = replace(
        encodings,
        encoder=report.encoder,
        key=key,
        text=np.stack([projection.project_text(rows) for rows in encodings.text]),
        image=projection.project_image(encodings.image),
    )
    return Adapted(adapted, projection, report)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Items (n,) that a fit sees, and how many it could have seen but was told not to."""

    rows: IndexArray
    present: BoolArray
    left_out: int


def choose(
    text_present: BoolArray,
    image_present: BoolArray,
    config: AdaptationConfig,
    fit_on: BoolArray | None,
) -> Chosen:
    """Items with a picture and a text, at most `config.max_items`, of those in `fit_on`."""
    allowed = image_present
    if fit_on is not None:
        if fit_on.shape != image_present.shape:
            raise MismatchError("fit_on speaks of another number of items")
        allowed = image_present & fit_on
    rows = choose_pairs(text_present, allowed, config.max_items, config.seed)
    could = int((image_present & text_present.any(0)).sum())
    left_out = could - int((allowed & text_present.any(0)).sum())
    return Chosen(rows, text_present[:, rows], left_out)


def fit_projection(
    encodings: Encodings,
    chosen: Chosen,
    text_groups: IndexArray,
    image_groups: IndexArray,
    config: ProjectionAdaptation,
    *,
    device: str = "cpu",
) -> tuple[Projection, AdaptationReport]:
    """Fit on chosen items only.

    Args:
        encodings: of all N items.
        chosen: n of them.
        text_groups: (C, n), equal where texts are equal.
        image_groups: (n,), equal where pictures are equal.
        config: how to train.
        device: where.
    """
    text = torch.from_numpy(np.ascontiguousarray(encodings.text[:, chosen.rows])).to(device)
    image = torch.from_numpy(np.ascontiguousarray(encodings.image[chosen.rows])).to(device)
    adapter = ProjectionAdapter(text, image)
    fitted, report = run_fit(
        adapter, chosen, text_groups, image_groups, encodings.views, config,
        encoder=adapted_name(encodings.encoder, config.kind), device=device,
    )  # fmt: skip
    if not fitted.best_epoch:
        return Projection(None, None), report
    arrays = {name: t.cpu().numpy() for name, t in fitted.tensors.items() if name != LOG_SCALE}
    return Projection(arrays["text"], arrays["image"]), report


def run_fit(
    adapter: Adapter,
    chosen: Chosen,
    text_groups: IndexArray,
    image_groups: IndexArray,
    views: Sequence[str],
    config: AdaptationConfig,
    *,
    encoder: str,
    device: str,
    checkpoint: FitCheckpoint | None = None,
) -> tuple[Fitted, AdaptationReport]:
    """Split the chosen pairs, run the loop, and put the outcome in a report.

    Args:
        adapter: over the chosen items, in their order.
        chosen, text_groups, image_groups: see `fit_projection`.
        views: the C names.
        config: how to train.
        encoder: the adapted encoder's name.
        device: of the adapter.
        checkpoint: keeps the fit between epochs.

    Raises:
        InputError: too few pairs.
    """
    started = perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    pairs = PairTable(
        torch.from_numpy(np.ascontiguousarray(chosen.present)),
        torch.from_numpy(text_groups),
        torch.from_numpy(image_groups),
    )
    parts = split_pairs(pairs.image_group, config.held_out, generator)
    sizes = (len(parts.train), len(parts.valid), len(parts.report))
    if len(pairs) < config.min_pairs or not all(sizes):
        raise InputError(
            f"{len(pairs)} items with a picture and a text are too few to adapt to",
            where="encoder.adapt.min_pairs",
            remedy="leave the adaptation out, or lower this (10 at least, of different pictures)",
        )
    parts = PairSplit(*(part.to(device) for part in (parts.train, parts.valid, parts.report)))
    fitted = fit(adapter, pairs.to(device), parts, views, config, generator, checkpoint)
    report = AdaptationReport(
        encoder, config.model_dump(mode="json"), *sizes, chosen.left_out,
        fitted.epochs_run, fitted.best_epoch, fitted.temperature, fitted.history,
        perf_counter() - started, fitted.before, fitted.after,
    )  # fmt: skip
    return fitted, report


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
