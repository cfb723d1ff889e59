"""Weights in `transformers`' layout, read without the network and without running their code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers

from cliper.encoders.towers import Model
from cliper.errors import InputError, first_line


def load_weights(model_class: Any, folder: Path, **options: Any) -> Model:
    """A model of `transformers` with the weights of a folder.

    Weights are safetensors, or a `pytorch_model.bin` that is loaded without running code from it.

    Args:
        model_class: one of `transformers`' model classes.
        folder: holds config.json and the weights.
        options: of the class, beside its config.

    Raises:
        InputError: no weights, broken ones, or tensors that the model needs are missing.
    """
    if not any(folder.glob("model*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        raise InputError(
            "no weights (model.safetensors or pytorch_model.bin)",
            where=str(folder),
            remedy="download the model again",
        )
    try:
        with _silent():
            model, report = model_class.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, **options
            )
    except Exception as error:  # safetensors, pickle and transformers each raise their own
        raise InputError(
            f"the weights cannot be loaded: {first_line(error)}", where=str(folder)
        ) from error
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers; nobody wants those features.
        raise InputError(
            f"the weights lack {len(missing)} of the model's tensors, first {missing[0]}",
            where=str(folder),
        )
    return model


@contextmanager
def _silent() -> Iterator[None]:
    """A library does not print; `transformers` has both a log and a progress bar of its own."""
    log: Any = transformers.logging
    verbosity, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bar:
            log.enable_progress_bar()
