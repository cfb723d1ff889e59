"""`cliper evaluate`: score a run's test split again."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_json, say
from cliper.cli.results import protocol_line, show_metrics
from cliper.cli.usage import verb


@verb("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--mask", metavar="PARTS", help="train or train+valid, instead of the run's own.")
@click.option("--candidates", metavar="WHICH", help="split or all, instead of the run's own.")
@json_option
def command(run: Path, mask: str | None, candidates: str | None, as_json: bool) -> None:
    """Score the test split from the saved artefact; the dataset must still be there.

    Says which versions, code, model, encoder or features are not those that the run was made with.

    \b
    Example:
      cliper evaluate runs/films --mask train
    """
    from cliper.experiments.run.experiment import evaluate_run, load_config
    from cliper.experiments.run.made_with import differences

    loaded, evaluation = evaluate_run(run, mask=mask, candidates=candidates)
    otherwise = differences(loaded.directory, load_config(loaded.directory))
    results = loaded.results
    update = {"mask": mask} if mask else {}
    if candidates == "all" or (candidates == "split" and results.protocol.split != "cold-item"):
        update["candidates"] = "all"
    elif candidates == "split":
        update["candidates"] = "cold"
    protocol = results.protocol.model_copy(update=update)
    if as_json:
        print_json(
            {
                "run": str(run),
                "dataset": results.dataset.model_dump(),
                "protocol": protocol.model_dump(),
                "backbone": results.backbone,
                "users_evaluated": len(evaluation.users),
                "test": dict(evaluation.metrics),
                "otherwise": otherwise,
            }
        )
        return
    title = f"{results.backbone} on {results.dataset.name}: {run}\n{protocol_line(protocol)}"
    show_metrics({"test": evaluation.metrics}, f"{title}, {len(evaluation.users):,} users")
    for one in otherwise:
        say(f"note: not as at the training: {one}")
