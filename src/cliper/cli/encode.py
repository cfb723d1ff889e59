"""`cliper encode`: fill a dataset's encoding store."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cliper.cli.adaptation import show_adaptation
from cliper.cli.options import (
    dataset_argument,
    encoding_options,
    engine_options,
    set_option,
    setting,
    settings,
    workers_of,
)
from cliper.cli.output import json_option, print_facts, print_json
from cliper.cli.state import keeps
from cliper.cli.usage import verb
from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.representation.settings import RepresentationSettings


@verb("encode")
@dataset_argument
@encoding_options
@setting("--device", "encoder.device", default="cpu", show_default=True)
@setting("--dtype", "encoder.dtype", default="float32", show_default=True)
@setting(
    "--batch-size",
    "encoder.batch_size",
    lambda text: text if text == "auto" else click.IntRange(min=1).convert(text, None, None),
    metavar="N|auto",
    default="auto",
    show_default=True,
    help="Images at once; auto goes by the memory there is.",
)
@setting(
    "--runtime", "encoder.runtime", type=click.Choice(["torch", "onnx"]), default="torch",
    show_default=True, help="What computes; onnx needs 'cliper[onnx]' and has --dtype int8.",
)  # fmt: skip
@setting(
    "--long-text", "encoder.long_text", type=click.Choice(["truncate", "chunk-mean"]),
    default="truncate", show_default=True, help="What becomes of texts over the encoder's limit.",
)  # fmt: skip
@setting("--download", "encoder.allow_download", is_flag=True,
         help="Fetch a hub model that is not in the local cache.")  # fmt: skip
@set_option
@engine_options
@json_option
def command(dataset: Path, as_json: bool, **engine: Any) -> None:
    """Encode every view and picture; what the store holds already is reused.

    \b
    Example:
      cliper encode data/films --encoder embedded --views title,director,global \\
        --template director='A film directed by {director}'
      cliper encode data/films --encoder weights/clip-vit-base-patch32 --adapt projection
      cliper encode data/films --encoder clip-vit-b-32 --engine ray --workers 8
    """
    where = workers_of(**engine)
    from cliper.data import Dataset
    from cliper.encoders.content import Content
    from cliper.encoders.distributed import DistributedReport, encode_on_ray
    from cliper.encoders.encode_report import EncodeReport
    from cliper.encoders.settings import EncoderSettings
    from cliper.experiments.drawing.adaptation import with_figure
    from cliper.parallel import OnRay
    from cliper.representation.represent import encode_catalogue

    chosen = _encoding_settings()
    loaded = Dataset.load(dataset)
    keeps("what was encoded is kept; the same command goes on from there")
    reports: list[EncodeReport] = []
    elsewhere: list[DistributedReport] = []

    def on_ray(content: Content, encoder: EncoderSettings) -> None:
        assert isinstance(where, OnRay)
        elsewhere.append(encode_on_ray(content, encoder, where))

    rendered, encodings = encode_catalogue(
        loaded, chosen, with_figure(reports.append), on_ray if isinstance(where, OnRay) else None
    )
    report = reports[0]
    _, n_items, width = encodings.text.shape
    adapted, folder = report.adaptation, report.adaptation_folder
    facts: dict[str, Any] = {
        **asdict(report),
        "adaptation": None if adapted is None else adapted.json_object(),
        "adaptation_folder": None if folder is None else str(folder),
        "texts_per_second": report.texts_per_second,
        "images_per_second": report.images_per_second,
        "items": n_items,
        "width": width,
        "views": list(encodings.views),
        "left_out": dict(rendered.left_out),
        "missing_views": {
            name: int(n_items - present.sum())
            for name, present in zip(encodings.views, encodings.text_present, strict=True)
        },
        "missing_images": int(n_items - encodings.image_present.sum()),
        "key": encodings.key,
    }
    for done in elsewhere:
        facts["distributed"] = {**asdict(done), "workers": sorted(done.workers)}
    if as_json:
        print_json({"dataset": str(dataset), **facts})
        return
    print_facts(_rows(facts), title=f"{loaded.name} through {report.encoder}")
    if adapted is not None and folder is not None:
        show_adaptation(adapted, folder)


def _encoding_settings() -> "RepresentationSettings":
    """What was given; a setting that only a training has is refused."""
    from cliper.representation.settings import RepresentationSettings

    tree = settings()
    if others := tree.keys() - {"views", "encoder"}:
        raise InputError(
            "has no effect on what is encoded",
            where=min(others),
            remedy="only settings of views and encoder have",
        )
    return RepresentationSettings.parse(tree)


def _rows(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    rows = [
        ("items", facts["items"]),
        ("views", ", ".join(facts["views"])),
        ("width", facts["width"]),
        ("texts encoded", facts["encoded_texts"]),
        ("texts reused", facts["reused_texts"]),
        ("texts truncated", facts["truncated_texts"]),
        ("texts per second", facts["texts_per_second"]),
        ("images encoded", facts["encoded_images"]),
        ("images reused", facts["reused_images"]),
        ("images per second", facts["images_per_second"]),
        ("items without image", facts["missing_images"]),
    ]
    sizes = [("images at once", "images_at_once"), ("tokens of texts at once", "tokens_at_once")]
    rows += [(shown, facts[name]) for shown, name in sizes if facts[name] is not None]
    rows += [(f"items without {n}", c) for n, c in facts["missing_views"].items() if c]
    rows += [(f"image failed: {reason}", n) for reason, n in facts["failed_images"].items()]
    rows += [(f"field left out: {field}", why) for field, why in facts["left_out"].items()]
    if facts["damaged_chunks"]:
        rows.append(("damaged chunks encoded again", facts["damaged_chunks"]))
    if facts["retrieval_recall_at_10"] is not None:
        found, chance = facts["retrieval_recall_at_10"], facts["retrieval_chance"] or 0.0
        shown = f"{100 * found:.1f} % (by chance {100 * chance:.1f} %)"
        rows.append(("held-out retrieval Recall@10", shown))
    if "distributed" in facts and (done := facts["distributed"])["workers"]:
        rows.append((f"encoded by {len(done['workers'])} workers", done["texts"] + done["images"]))
        rows.append(("seconds of the workers", done["seconds"]))
    rows.append(("seconds", facts["seconds"]))
    return rows
