"""Tensors and facts in one safetensors file: whole or not at all, with a digest of both."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from cliper.errors import InputError
from cliper.files import atomic_path

ENCODE_AGAIN = "delete it and run 'cliper encode' again"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Any = None) -> None:
    """Write tensors, from any device, and facts that JSON can say."""
    whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    text = json.dumps(facts)
    with atomic_path(path) as temporary:
        save_file(whole, temporary, metadata={"facts": text, "sha256": _digest(whole, text)})


def load_tensors(path: Path, remedy: str = ENCODE_AGAIN) -> tuple[dict[str, Tensor], Any]:
    """Read what `save_tensors` wrote, on the CPU.

    Args:
        path: the file.
        remedy: what helps where it is damaged.

    Raises:
        InputError: the file is missing, broken, or holds other bytes than were written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = file.metadata()
        facts = json.loads(about["facts"])
        if about.get("sha256", "") not in ("", _digest(tensors, about["facts"])):
            raise ValueError("other bytes than were written")
    except Exception as error:  # safetensors raises its own
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise InputError(
            f"broken file of tensors ({why})", where=str(path), remedy=remedy
        ) from None
    return tensors, facts


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
