"""Where tensors are computed: `cpu`, `cuda`, `cuda:1`, `mps`."""

import torch

from cliper.errors import InputError


def available_device(name: str, where: str | None = None) -> str:
    """`name`, or the best device for `auto`.

    cuDNN rounds the factors of float32 products to 10 bits (TF32) unless told otherwise, unlike
    PyTorch's own matrix product: a GRU's gradients on a GPU were then 3e-4 from the CPU's, and a
    picture's encoding would depend on where it was made. Here it is told.

    Args:
        name: a device, or `auto`.
        where: the setting that names it, for the error.

    Raises:
        InputError: it is none, or not on this machine or not in this build of PyTorch.

    >>> available_device("cpu")
    'cpu'
    """
    torch.backends.cudnn.allow_tf32 = False
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(kind for kind, here in there.items() if here)
    kind, _, number = name.partition(":")
    if kind not in there or not (number or "0").isdecimal():
        raise InputError(f"unknown device {name!r}", where=where, remedy="cpu, cuda, mps or auto")
    devices = torch.cuda.device_count() if kind == "cuda" else 1
    if not there[kind] or int(number or 0) >= devices:
        raise InputError(f"{name!r} is not available here", where=where, remedy="use cpu")
    return name
