"""`cliper encode`: fill a dataset's encoding store."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from cliper.cli.adaptation import adaptation_settings, show_adaptation
from cliper.cli.options import batch_size, encoding_options, names, pairs
from cliper.cli.output import json_option, print_facts, print_json
from cliper.cli.state import keeps
from cliper.cli.usage import verb
from cliper.errors import InputError


@verb("encode")
@click.argument("dataset", type=click.Path(path_type=Path))
@encoding_options
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="float32", show_default=True)
@click.option(
    "--batch-size",
    metavar="N|auto",
    callback=batch_size,
    default="auto",
    show_default=True,
    help="Images at once; auto goes by the memory there is.",
)
@click.option(
    "--runtime", type=click.Choice(["torch", "onnx"]), default="torch", show_default=True,
    help="What computes; onnx needs 'cliper[onnx]' and has --dtype int8.",
)  # fmt: skip
@click.option(
    "--long-text", type=click.Choice(["truncate", "chunk-mean"]), default="truncate",
    show_default=True, help="What becomes of texts over the encoder's limit.",
)  # fmt: skip
@click.option("--set", "sets", metavar="encoder.adapt.KEY=VALUE", multiple=True,
              help="A setting of the adaptation, e.g. encoder.adapt.max_epochs=20.")  # fmt: skip
@click.option("--download", is_flag=True, help="Fetch a hub model that is not in the local cache.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="Who encodes: this process, or workers under Ray.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Under Ray; 2 by default.")
@click.option("--ray-address", metavar="A", help="Of a running cluster; else Ray starts here.")
@click.option("--gpus-each", type=click.FloatRange(min=0), help="Share of a GPU a worker takes.")
@json_option
def command(
    dataset: Path,
    encoder: str | None,
    weights: str | None,
    adapt: str | None,
    views: str | None,
    templates: tuple[str, ...],
    device: str,
    dtype: str,
    batch_size: int | Literal["auto"],
    runtime: str,
    long_text: Literal["truncate", "chunk-mean"],
    sets: tuple[str, ...],
    download: bool,
    engine: str,
    workers: int | None,
    ray_address: str | None,
    gpus_each: float | None,
    as_json: bool,
) -> None:
    """Encode every view and picture; what the store holds already is reused.

    \b
    Example:
      cliper encode data/films --encoder embedded --views title,director,global \\
        --template director='A film directed by {director}'
      cliper encode data/films --encoder weights/clip-vit-base-patch32 --adapt projection
      cliper encode data/films --encoder clip-vit-b-32 --engine ray --workers 8
    """
    cluster = _cluster(engine, workers=workers, ray_address=ray_address, gpus_each=gpus_each)
    from cliper.data import Dataset
    from cliper.encoders.encode import encode_dataset
    from cliper.encoders.encode_report import EncodeReport
    from cliper.experiments.adaptation import with_figure
    from cliper.representation.represent import rendered_views

    loaded = Dataset.load(dataset)
    include = names(views, "--views") if views is not None else None
    rendered = rendered_views(loaded, pairs(templates, "--template") or None, include)
    adaptation = adaptation_settings(adapt, sets)
    keeps("what was encoded is kept; the same command goes on from there")
    reports: list[EncodeReport] = []
    name = encoder or "embedded"
    how: dict[str, Any] = {
        "weights": None if weights is None else Path(weights),
        "device": device,
        "dtype": dtype,
        "batch_size": batch_size,
        "runtime": runtime,
        "long_text": long_text,
        "allow_download": download,
    }
    elsewhere = None
    if engine == "ray":
        from cliper.encoders.distributed import encode_on_ray

        if adapt == "lora":  # its rows are those of towers that were trained in this process
            raise InputError(
                "lora is fitted and encoded in one process",
                where="--engine ray",
                remedy="leave one of them out; --adapt projection works under Ray",
            )
        elsewhere = encode_on_ray(loaded, name, rendered, **cluster, **how)
    encodings = encode_dataset(
        loaded, name, rendered, adapt=adaptation, on_report=with_figure(reports.append), **how
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
    if elsewhere is not None:
        facts["distributed"] = {**asdict(elsewhere), "workers": sorted(elsewhere.workers)}
    if as_json:
        print_json({"dataset": str(dataset), **facts})
        return
    print_facts(_rows(facts), title=f"{loaded.name} through {report.encoder}")
    if adapted is not None:
        show_adaptation(adapted, str(folder))


def _cluster(engine: str, **options: Any) -> dict[str, Any]:
    """What was said of the cluster; refused where there is none."""
    given = {key: value for key, value in options.items() if value is not None}
    if given and engine != "ray":
        raise InputError(
            "has no effect in this process",
            where="--" + next(iter(given)).replace("_", "-"),
            remedy="add --engine ray, or leave it out",
        )
    return {key.removeprefix("ray_"): value for key, value in given.items()}


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
    if "distributed" in facts:
        done = facts["distributed"]
        rows.append((f"encoded by {len(done['workers'])} workers", done["texts"] + done["images"]))
        rows.append(("seconds of the workers", done["seconds"]))
    rows.append(("seconds", facts["seconds"]))
    return rows
