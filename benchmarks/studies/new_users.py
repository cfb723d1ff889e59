"""Users that a model has never seen, folded in: Recall@20 beside the same users, trained on.

    python benchmarks/studies/new_users.py DATASET [--only NAME …] [--seeds N] [--epochs E]

On the split `new-user` a model is trained without the test's users, who are then folded in by
their given halves. Beside it the same model trained on those halves too, and what `Neighbours`
makes of the frozen items in place of `LeastSquares`. Both rank the same rows. Without `--epochs`
trainings stop by validation, which is of folded-in users on the left and of trained ones on the
right.
"""

import argparse
from datetime import date
from pathlib import Path
from statistics import fmean

import torch

import cliper
from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.backbones.new_users import final_scorer
from cliper.data import Dataset, Interactions, Split, make_split
from cliper.ranking import evaluate
from cliper.representation.features import ItemFeatures
from cliper.scoring import FactorFoldIn, FactorScorer, Neighbours, Scorer
from cliper.training import Trainer, TrainingConfig

MODELS = ("ease", "itemknn", "ials", "bpr", "vbpr", "lightgcn", "freedom")


def recall(scorer: Scorer, split: Split) -> float:
    """Of the test's users; what was given or is validation's is not ranked."""
    found = evaluate(scorer, split.test, train=split.taken, valid=split.valid, ks=[20])
    return float(found.metrics["recall@20"])


class Measured:
    """One model on one split, with and without the given halves in its training."""

    def __init__(
        self, name: str, split: Split, features: ItemFeatures | None, seed: int, epochs: int | None
    ) -> None:
        self.name, self.split, self.seed, self.epochs = name, split, seed, epochs
        entry = backbone_entry(name)
        self.config = entry.config.parse({})
        self.features = features if entry.features == "required" else None

    def trained(self, train: Interactions, given: Interactions | None) -> Backbone:
        """By the usual rule, or for so many epochs."""
        model = create_backbone(self.name, train, self.features, seed=self.seed)

        @torch.inference_mode()
        def validate(model: Backbone) -> dict[str, float]:
            scorer = final_scorer(model.eval(), self.config, train, None, given)
            found = evaluate(scorer, self.split.valid, train=self.split.taken, ks=[20])
            return {"recall@20": float(found.metrics["recall@20"])}

        options = {} if self.epochs is None else {"max_epochs": self.epochs}
        Trainer(model, train, TrainingConfig(seed=self.seed, **options), validate).fit()
        return model.eval()

    @torch.inference_mode()
    def numbers(self) -> tuple[float, float, float | None]:
        """Trained on the histories, folded in, and by `Neighbours` where it applies."""
        split = self.split
        assert split.given is not None
        with torch.inference_mode(False):
            known = self.trained(split.train.joined(split.given), None)
            unknown = self.trained(split.train, split.given)
        folded = final_scorer(unknown, self.config, split.train, None, split.given)
        by_neighbours = None
        if isinstance(folded, FactorScorer) and self.name != "popularity":
            given, users = split.given.matrix(), folded.users.clone()
            equation = Neighbours(split.train.item_counts())
            fold_in = FactorFoldIn.fit(unknown.scorer(), equation)  # type: ignore[arg-type]
            for user in set(split.given.user_index.tolist()):
                row = given.indices[given.indptr[user] : given.indptr[user + 1]]
                users[user] = fold_in.fixed + fold_in.vectors(row.astype("int64")).sum(0)
            by_neighbours = recall(folded.of(users), split)
        return recall(known.scorer(), split), recall(folded, split), by_neighbours


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path, default=Path("results/new-users.md"))
    arguments = parser.parse_args()
    epochs = "until validation stops" if arguments.epochs is None else f"{arguments.epochs} epochs"
    lines = [
        "# Users that a model has never seen",
        "",
        f"`python benchmarks/studies/new_users.py`, {date.today()}, torch {torch.__version__}, "
        f"seeds {arguments.seeds}, {epochs}. Split `new-user`: test Recall@20 in per cent of the "
        "same rows, with the users' given halves in training, and folded in by a model that never "
        "saw these users. Neighbours: Σ y_j / √(|u| |j|) instead of least squares.",
    ]
    for path in arguments.dataset:
        dataset = Dataset.load(path)
        lines += [
            "",
            f"## {dataset.name}",
            "",
            "| Backbone | Trained on them | Folded in | Ratio | By neighbours |",
            "|---|---:|---:|---:|---:|",
        ]
        sees = [n for n in arguments.only if backbone_entry(n).features == "required"]
        features = cliper.represent(dataset) if sees and dataset.catalogue is not None else None
        for name in arguments.only:
            if features is None and name in sees:
                continue
            rows = [
                Measured(
                    name, make_split(dataset, "new-user", seed), features, seed, arguments.epochs
                ).numbers()
                for seed in range(arguments.seeds)
            ]
            known, folded = (fmean(row[at] or 0 for row in rows) for at in (0, 1))
            near = [row[2] for row in rows if row[2] is not None]
            last = f"{100 * fmean(near):.2f}" if near else "-"
            cells = [
                name,
                f"{100 * known:.2f}",
                f"{100 * folded:.2f}",
                f"{folded / known:.2f}",
                last,
            ]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
            arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
