"""What each hostile file costs: verification, the encoders' reading, and decoding in full.

Every reading is what the child process does (`cliper.data.pictures.child`), under its bounds, in a
fork of a process that has it imported, so the peak is what reading added. After the generated files
come the largest that are taken, full of noise, in every format.

    python benchmarks/hostile_images.py [--flood 16000000] [--seed 0] [--out results/…md]
"""

import argparse
import io
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

from cliper.data.pictures import MAX_BYTES
from cliper.data.pictures.process import MAX_MEMORY, MAX_SECONDS
from cliper.files import write_text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from generated.hostile import HostileImage, hostile_images
from generated.hostile.measure import Cost, Meter
from generated.hostile.readers import (
    GOOD,
    MODULES,
    by_encoders,
    by_verification,
    in_full,
)

READERS = {"verified": by_verification, "encoders": by_encoders, "in full": in_full}


def largest() -> Iterator[HostileImage]:
    """Good pictures of the most pixels that are taken, as hard to decode as noise makes them."""
    rng = np.random.default_rng(0)

    def noise(width: int, height: int, channels: int, coarse: int) -> Image.Image:
        small = rng.integers(0, 256, (height // coarse, width // coarse, channels), dtype=np.uint8)
        return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)

    exif = Image.Exif()
    exif[0x0112] = 6
    fine, even = noise(8_000, 4_000, 4, 2), noise(8_000, 4_000, 4, 40)
    plain, four = fine.convert("RGB"), fine.convert("CMYK")
    jobs = (
        ("largest-rgb.png", noise(8_000, 4_000, 3, 8), "PNG", {"compress_level": 1}),
        ("largest-rgba.png", even, "PNG", {"compress_level": 3, "exif": exif}),
        ("largest-progressive.jpg", plain, "JPEG",
         {"progressive": True, "subsampling": 0, "quality": 80, "exif": exif}),
        ("largest-four-colours.jpg", four, "JPEG", {"progressive": True, "quality": 80}),
        ("largest-turned.jpg", noise(8_000, 8_000, 3, 4), "JPEG", {"quality": 95, "exif": exif}),
        ("largest.gif", plain.quantize(64, method=Image.Quantize.FASTOCTREE), "GIF",
         {"transparency": 3}),
        ("largest-lossy.webp", fine.resize((6_250, 4_000)), "WEBP",
         {"quality": 80, "method": 0, "exif": exif}),
        ("largest-lossless.webp", noise(6_250, 4_000, 4, 25), "WEBP",
         {"lossless": True, "method": 0, "quality": 0}),
    )  # fmt: skip
    for name, image, form, options in jobs:
        stream = io.BytesIO()
        image.save(stream, form, **options)
        if stream.tell() > MAX_BYTES:
            raise ValueError(f"{name} is larger than any file that is read: {stream.tell()}")
        yield HostileImage(name, stream.getvalue(), "picture", "noise, the most pixels taken")


def line(image: HostileImage, costs: dict[str, Cost]) -> str:
    """One row of the table."""
    outcome = costs["verified"].outcome
    cells = [f"{cost.cpu_seconds:.2f} s, {cost.peak_bytes / 1e6:.0f} MB" for cost in costs.values()]
    size = f"{len(image.data):,}"
    return f"| {image.name} | {image.about} | {size} | {outcome} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flood", type=int, default=16_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows, worst, over, tally = [], {}, [], Counter()
    files = [*hostile_images(arguments.seed, arguments.flood), *largest()]
    with Meter(MODULES) as meter:
        for image in files:
            costs = {name: meter(read, image.data) for name, read in READERS.items()}
            rows.append(line(image, costs))
            told = {cost.outcome.startswith("refused") for cost in costs.values()}
            tally["refused" if told == {True} else "a picture" if told == {False} else "?"] += 1
            for name, cost in costs.items():
                known = cost.outcome == GOOD or cost.outcome.startswith("refused: ")
                if not known:
                    over.append(f"{image.name} ({name})")
                seconds, size = worst.get(name, (0.0, 0))
                worst[name] = max(seconds, cost.cpu_seconds), max(size, cost.peak_bytes)
            print(rows[-1], file=sys.stderr, flush=True)
    command = f"python benchmarks/hostile_images.py --flood {arguments.flood}"
    counts = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    ends = "; ".join(f"{n}: {s:.2f} s, {b / 1e6:.0f} MB" for n, (s, b) in worst.items())
    text = "\n".join(
        [
            "# Hostile image files: what reading each one costs",
            "",
            f"{len(files)} files: {counts}. Ended by the bounds ({MAX_SECONDS} s of CPU, "
            f"{MAX_MEMORY / 1e6:.0f} MB) or otherwise: {', '.join(over) or 'none'}. "
            f"The worst of each reading: {ends}.",
            "",
            "CPU seconds of all threads, and the peak beyond what the process held before. "
            "*verified* is what `prepare` and `images` do, *encoders* what encoders do (a JPEG "
            "reduced as far as 224 pixels allow), *in full* the same with every pixel.",
            "",
            f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}, Pillow {PIL.__version__}, libjpeg-turbo "
            f"{features.version('libjpeg_turbo')}, zlib {features.version('zlib')}, libwebp "
            f"{features.version('webp')}. Command: `{command}`.",
            "",
            "| file | what is wrong with it | bytes | verified | verified | encoders | in full |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    if arguments.out:
        write_text(arguments.out, text)
    print(text.split("| file", maxsplit=1)[0])


if __name__ == "__main__":
    main()
