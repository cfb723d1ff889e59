"""`AdaptationReport`: what a fit did, and retrieval before and after it, as JSON and Markdown."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cliper.encoders.adaptation.retrieval import Direction, Retrieval, ViewRetrieval
from cliper.files import as_written, read_json, write_json, write_text
from cliper.types import JsonObject

JSON_FILE, MARKDOWN_FILE, FIGURE_FILE = "report.json", "report.md", "retrieval.svg"
ALL_VIEWS = "all views"


@dataclass(frozen=True)
class AdaptationReport:
    """One adaptation.

    Attributes:
        encoder: the adapted encoder's name, e.g. `clip-vit-b-32+projection`.
        settings: the adaptation's, every default filled in.
        train, valid, report: pairs for fitting, for choosing the epoch, and for the numbers here.
        left_out: items that could have been fitted on and were not (`fit_on`).
        epochs_run, best_epoch: best 0 when nothing was better than the encoder as it came.
        temperature: the learned one.
        history: mean reciprocal rank on the validation pairs, epoch 0 first.
        seconds: of the fit.
        before, after: retrieval among the report pairs.
    """

    encoder: str
    settings: JsonObject
    train: int
    valid: int
    report: int
    left_out: int
    epochs_run: int
    best_epoch: int
    temperature: float
    history: tuple[float, ...]
    seconds: float
    before: Retrieval
    after: Retrieval

    def json_object(self) -> JsonObject:
        """Everything, as plain values."""
        return {"schema": 1, **asdict(self)}

    def rows(self) -> Iterator[tuple[str, str, Direction, Direction]]:
        """View, direction, before and after; all views together first."""
        sides = [(ALL_VIEWS, self.before.overall, self.after.overall)]
        sides += [
            (name, self.before.views[name], self.after.views[name]) for name in self.after.views
        ]
        for name, before, after in sides:
            yield name, "text → image", before.text_to_image, after.text_to_image
            yield name, "image → text", before.image_to_text, after.image_to_text

    def cosines(self) -> Iterator[tuple[str, ViewRetrieval, ViewRetrieval]]:
        """View, before and after, for the spread of cosines."""
        yield ALL_VIEWS, self.before.overall, self.after.overall
        for name, after in self.after.views.items():
            yield name, self.before.views[name], after

    def markdown(self) -> str:
        """Two tables with a sentence on how they came about."""
        kind = self.settings["kind"]
        head = f"# {self.encoder}: retrieval before and after\n\n"
        lines = [
            f"`{kind}`, fitted on {self.train} items with a picture and a text; {self.valid} "
            f"others chose epoch {self.best_epoch} of {self.epochs_run}, {self.report} others are "
            f"counted here. Learned temperature {self.temperature:.3f}, {self.seconds:.1f} s. "
            "Each cell: before → after.\n",
            "| view | direction | R@1 | R@5 | R@10 | MRR (chance) | median rank |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, direction, before, after in self.rows():
            cells = [_percent(getattr(before, f), getattr(after, f)) for f in _RECALLS]
            mrr = f"{before.mrr:.3f} → {after.mrr:.3f} ({after.chance_mrr:.3f})"
            rank = f"{before.median_rank:g} → {after.median_rank:g} of {after.candidates}"
            lines.append(f"| {_cell(name)} | {direction} | {' | '.join(cells)} | {mrr} | {rank} |")
        lines += [
            "\nMean cosine of a text with its own picture and with others':\n",
            "| view | matched | unmatched | deviation of unmatched |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {_cell(name)} | {b.matched:.3f} → {a.matched:.3f} "
            f"| {b.unmatched:.3f} → {a.unmatched:.3f} "
            f"| {b.unmatched_deviation:.3f} → {a.unmatched_deviation:.3f} |"
            for name, b, a in self.cosines()
        ]
        return head + "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Write `report.json` and `report.md`."""
        write_text(folder / MARKDOWN_FILE, self.markdown())
        write_json(folder / JSON_FILE, self.json_object())

    @classmethod
    def load(cls, folder: Path) -> "AdaptationReport":
        """Read what `write` wrote.

        Raises:
            InputError: the file is missing or broken.
        """
        tree = read_json(folder / JSON_FILE)
        with as_written(folder / JSON_FILE, "adapt again"):
            tree.pop("schema")
            tree["history"] = tuple(tree["history"])
            for side in ("before", "after"):
                tree[side] = _retrieval(tree[side])
            return cls(**tree)


_RECALLS = ("recall_at_1", "recall_at_5", "recall_at_10")


def _retrieval(tree: JsonObject) -> Retrieval:
    return Retrieval(_view(tree["overall"]), {k: _view(v) for k, v in tree["views"].items()})


def _view(tree: JsonObject) -> ViewRetrieval:
    directions = {k: Direction(**tree[k]) for k in ("text_to_image", "image_to_text")}
    return ViewRetrieval(**{**tree, **directions})


def _percent(before: float, after: float) -> str:
    return f"{100 * before:.1f} → {100 * after:.1f} %"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
