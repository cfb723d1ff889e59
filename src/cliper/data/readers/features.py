"""Copy a matrix of item features, checked, in pieces."""

from pathlib import Path

import numpy as np

from cliper.data.readers.formats import open_array, reading
from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.types import JsonObject

_ROWS = 4_096


def copy_features(source: Path, target: Path, *, three: bool) -> JsonObject:
    """Copy a `.npy` file as float32.

    Args:
        source: N×D, or with `three` also views×N×D; any real type, loaded without pickle.
        target: the new file; its folder is made.
        three: whether three dimensions are allowed.

    Returns:
        `shape`, `sha256` of the new file, and `zero_rows`: rows of zeros only, which stand for
        missing features and are kept.

    Raises:
        InputError: no `.npy` of numbers, another shape, or a value that is not finite.
    """
    where = str(source)
    with reading(where):
        try:
            values = open_array(source)
        except (ValueError, EOFError):
            raise InputError(
                "not a .npy file of plain numbers", where=where, remedy="write it with numpy.save"
            ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError("the features are no real numbers", where=where)
    if values.ndim not in ((2, 3) if three else (2,)) or 0 in values.shape:
        allowed = "items × width or views × items × width" if three else "items × width"
        shape = " × ".join(map(str, values.shape))
        raise InputError(
            f"the features are {shape or 'a single number'}", where=where, remedy=allowed
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=values.shape)
    stacked, out = (v.reshape(-1, *values.shape[-2:]) for v in (values, copy))
    zero_rows = 0
    for view in range(len(stacked)):
        for start in range(0, stacked.shape[1], _ROWS):
            with np.errstate(over="ignore"):  # what is too large for float32 is refused below
                piece = np.asarray(stacked[view, start : start + _ROWS], dtype=np.float32)
            bad = ~np.isfinite(piece).all(axis=1)
            if bad.any():
                raise InputError(
                    "a feature is NaN, infinite or too large",
                    where=f"{where}, row {start + int(np.argmax(bad))}",
                    remedy="use zeros for missing features",
                )
            zero_rows += int((~piece.any(axis=1)).sum())
            out[view, start : start + _ROWS] = piece
    copy.flush()
    del copy, out
    return {"shape": list(values.shape), "sha256": sha256_file(target), "zero_rows": zero_rows}
