"""`cliper augment`: a dataset and what a language model says of it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cliper.cli.options import OUT, names
from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("augment")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="PATH",
              help="A causal language model: a folder, or hf:ORG/NAME[@REVISION].")  # fmt: skip
@click.option("--out", type=OUT, help="[DATASET-augmented]")
@click.option("--split", metavar="KIND", help="Whose training part is told; as train has it.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the split.  [0]")
@click.option("--steps", metavar="A,B,C", help="Of feedback, attributes, profiles.  [all]")
@click.option("--attributes", metavar="A,B,C", help="To ask for.  [kind,audience,style]")
@click.option("--history", type=int, help="Items of a user in a prompt.  [20]")
@click.option("--candidates", type=int, help="Items to choose from.  [10]")
@click.option("--max-new-tokens", type=int, help="Of an answer.  [96]")
@click.option("--batch-size", type=int, help="Prompts at once.  [8]")
@click.option("--temperature", type=click.FloatRange(0, 10), default=0.0, show_default=True,
              help="0 takes the likeliest token.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="float32", show_default=True)
@click.option("--download", is_flag=True, help="Fetch a hub model that is not in the local cache.")
@json_option
def command(
    dataset: Path,
    model: str,
    out: Path | None,
    temperature: float,
    device: str,
    dtype: str,
    download: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask a local language model for feedback, attributes and profiles (LLMRec).

    Prompts are made of the catalogue and of the split's training part alone; train with the same
    --split and split.seed. Every answer is checked and counted. Answers are kept in
    DATASET/answers; the same command goes on where an earlier one stopped.

    \b
    Example:
      cliper augment data/films --model models/qwen-0.5b --split random --seed 0 \\
        --attributes director,country,language --out data/films-augmented
      cliper train data/films-augmented --backbone llmrec --split random --seed 0 --out runs/a
    """
    from cliper.augment import AugmentSettings, augment_dataset, load_generator
    from cliper.data import Dataset
    from cliper.data.splits.settings import default_split

    loaded = Dataset.load(dataset)
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("steps", "attributes"):
        if name in given:
            given[name] = names(given[name], f"--{name}")
    given.setdefault("split", default_split(loaded))
    settings = AugmentSettings.parse(given, where="augment")
    generator = load_generator(
        model, device=device, dtype=dtype, temperature=temperature, seed=settings.seed,
        allow_download=download,
    )  # fmt: skip
    target = out or dataset.with_name(f"{dataset.name}-augmented")
    keeps("answers so far are kept; the same command goes on from there")
    augmented, report = augment_dataset(loaded, generator, target, settings)
    facts = {**asdict(report), "shortened": generator.shortened}
    if as_json:
        print_json({"dataset": str(target), "hash": augmented.hash, **facts})
        return
    rows = [("prompts asked", report.asked), ("prompts answered before", report.reused)]
    rows += [
        (f"{step}: {verdict}", count)
        for step, counts in report.answers.items()
        for verdict, count in counts.items()
    ]
    rows += [("prompts shortened", generator.shortened)] if generator.shortened else []
    rows += [("damaged answers asked again", report.damaged)] if report.damaged else []
    cells = [[what, f"{count:,}"] for what, count in rows]
    print_table(["", "count"], cells, title=f"{augmented.name}: {target}", right=[1])
