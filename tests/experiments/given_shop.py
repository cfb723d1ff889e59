"""A dataset that brings its features, so that nothing has to be encoded."""

from pathlib import Path

import numpy as np

from cliper.data import Dataset, prepare_mmrec

M, N, C, D = 30, 24, 3, 8


def make_given(folder: Path, views: bool = True) -> Dataset:
    """`views`: text as (C, N, D), else (N, D)."""
    generator = np.random.default_rng(5)
    source = folder / "source"
    source.mkdir(parents=True)
    rows = ["userID\titemID\trating\ttimestamp\tx_label"]
    for user in range(M):
        items = generator.permutation(N)[:8]
        for at, item in enumerate(items):
            rows.append(f"{user}\t{item}\t5.0\t{100 * user + at}\t{max(0, at - 5)}")
    (source / "tiny.inter").write_text("\n".join(rows) + "\n")
    np.save(source / "image_feat.npy", generator.normal(size=(N, D)).astype(np.float32))
    shape = (C, N, D) if views else (N, D)
    np.save(source / "text_feat.npy", generator.normal(size=shape).astype(np.float32))
    return prepare_mmrec(source, folder / "dataset")
