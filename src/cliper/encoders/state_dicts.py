"""State dicts from files, without running code that lies in them."""

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from cliper.errors import InputError, first_line


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Names and tensors of a `.safetensors` or of a `.pt` file.

    Raises:
        InputError: no such file, code instead of tensors, or not a state dict.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    if path.suffix == ".safetensors":
        try:
            loaded: Any = load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"not safetensors: {first_line(error)}", where=str(path)) from None
    else:
        loaded = _unpickled(path)
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(torch.is_tensor(t) for t in loaded.values()):
        raise InputError("not a state dict of tensors", where=str(path))
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def _unpickled(path: Path) -> Any:
    try:
        # Long-CLIP is published as .pt alone, whose format is PyTorch's own. `weights_only` reads
        # tensors and runs nothing else, since 2.6, the earliest that is taken (CVE-2025-32434).
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about archives; the error says it all
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can call what it knows with anything
        raise InputError(
            f"cannot be loaded as plain tensors: {first_line(error)}",
            where=str(path),
            remedy="save the model's state_dict(), or take its safetensors; archives that hold "
            "code (OpenAI's own .pt files) are not run",
        ) from None
