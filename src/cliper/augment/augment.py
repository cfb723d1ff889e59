"""`augment_dataset`: a language model is asked about users and items; what it says is kept apart.

LLMRec (Wei et al., WSDM 2024, arXiv 2311.00423), Section 3.2, in three steps:
- feedback: of some candidates of a base recommender, which one a user likes most and which least;
- attributes: what is not in the catalogue, as fields of their own (`llm_…`);
- profiles: what a user likes, in words.

Prompts are made of the catalogue and of a split's training part alone.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from cliper.augment.answers import USED, read_attributes, read_feedback, read_profile
from cliper.augment.generator import TextGenerator
from cliper.augment.journal import Journal, question_key
from cliper.augment.prompts import (
    HASH,
    ItemTexts,
    attributes_prompt,
    feedback_prompt,
    one_line,
    profile_prompt,
)
from cliper.backbones import create_backbone
from cliper.config import StrictConfig
from cliper.data import Catalogue, Dataset, Interactions
from cliper.data.augmentation import Augmentation, training_hash
from cliper.data.directory import dataset_directory
from cliper.data.split import SplitKind
from cliper.data.splits import make_split
from cliper.errors import InputError
from cliper.files import locked
from cliper.progress import task
from cliper.ranking import rank
from cliper.types import IndexArray

Step = Literal["feedback", "attributes", "profiles"]
STEPS: tuple[Step, ...] = ("feedback", "attributes", "profiles")
FOLDER = "answers"
PREFIX = "llm_"
_BROUGHT = ("images", "features")


class AugmentSettings(StrictConfig):
    """What is asked, and of whom."""

    split: SplitKind = Field("random", description="the split whose training part is told")
    seed: int = Field(0, ge=0, description="of that split")
    steps: list[Step] = Field(list(STEPS), min_length=1, description="what is asked for")
    attributes: list[str] = Field(
        ["kind", "audience", "style"], min_length=1, max_length=20, description="of every item"
    )
    history: int = Field(20, ge=1, le=1000, description="items of a user in a prompt, the latest")
    candidates: int = Field(10, ge=2, le=100, description="items to choose from")
    max_new_tokens: int = Field(96, ge=4, le=2048, description="of an answer")
    batch_size: int = Field(8, ge=1, le=4096, description="prompts at once")


@dataclass
class AugmentReport:
    """What was asked and what came of it.

    Attributes:
        answers: step → what an answer counted as (`used`, `malformed`, …) → how often.
        asked, reused: prompts that the model answered now, and that had been answered before.
        damaged: lines of the journal that could not be read.
    """

    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    asked: int = 0
    reused: int = 0
    damaged: int = 0


def augment_dataset(
    dataset: Dataset,
    generator: TextGenerator,
    out: Path | str,
    settings: AugmentSettings | None = None,
) -> tuple[Dataset, AugmentReport]:
    """Ask, check, count, and write an augmented dataset.

    Answers are kept in the dataset's folder `answers`; a run that was interrupted goes on after
    its last batch and ends in the same bytes.

    Args:
        dataset: with a directory and a catalogue.
        generator: the language model.
        out: where the augmented dataset goes; whole or not at all.
        settings: what is asked.

    Returns:
        The augmented dataset (its hash is another), and what was done.

    Raises:
        InputError: no catalogue or directory, a dataset that is augmented already, `out` in use.
    """
    settings = settings or AugmentSettings()
    catalogue, path = _augmentable(dataset, Path(out), settings)
    split = make_split(dataset, settings.split, settings.seed)
    with locked(path / FOLDER, "asks a language model"):
        journal = Journal(path / FOLDER / f"{_safe(generator.name)}-{generator.hash[:16]}.jsonl")
        work = _Work(settings, generator, journal, ItemTexts(catalogue), split.train)
        triples, profiles, fields = work.feedback(), work.profiles(), work.attributes()
    augmentation = Augmentation(
        training_hash(split.train),
        {"kind": split.kind, "seed": split.seed},
        triples,
        tuple(profiles),
    )
    about = {
        **dataset.about,
        "augmentation": {
            "training": augmentation.training,
            "split": dict(augmentation.split),
            "of": dataset.hash,
            "model": {"name": generator.name, "hash": generator.hash},
            "prompts": HASH,
            "settings": settings.model_dump(exclude={"batch_size"}),
            "answers": work.report.answers,
        },
    }
    with dataset_directory(Path(out)) as folder:
        for name in _BROUGHT:
            if (path / name).is_dir():
                shutil.copytree(path / name, folder / name, copy_function=_link)
        _written(dataset, catalogue, fields, augmentation, about).save(folder)
    work.report.damaged = journal.damaged
    return Dataset.load(out), work.report


def _augmentable(dataset: Dataset, out: Path, settings: AugmentSettings) -> tuple[Catalogue, Path]:
    """The catalogue and folder of a dataset that can be augmented into `out`."""
    if dataset.path is None or dataset.catalogue is None:
        raise InputError(
            "the dataset has no catalogue to tell a language model about",
            where=dataset.name,
            remedy="prepare it with --items",
        )
    if dataset.augmentation is not None:
        raise InputError(
            "is augmented already", where=str(dataset.path), remedy="augment what it was made of"
        )
    if out.resolve() == dataset.path.resolve():
        raise InputError(
            "would replace the dataset itself", where=str(out), remedy="name another --out"
        )
    names = [PREFIX + name for name in settings.attributes]
    if "attributes" in settings.steps:
        reserved = {"item_id", "image", "image_urls", *dataset.catalogue.fields}
        for name, given in zip(names, settings.attributes, strict=True):
            if names.count(name) > 1 or name in reserved or one_line(given, 40) != given:
                raise InputError(
                    f"{given!r} cannot be an attribute",
                    where="attributes",
                    remedy="one line of at most 40 characters, once, and not yet in the catalogue",
                )
    return dataset.catalogue, dataset.path


def _written(
    dataset: Dataset,
    catalogue: Catalogue,
    fields: dict[str, list[str | None]],
    augmentation: Augmentation,
    about: dict[str, Any],
) -> Dataset:
    table = catalogue.table
    for name, values in fields.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return replace(
        dataset,
        catalogue=replace(catalogue, table=table),
        augmentation=augmentation,
        about=about,
        path=None,
    )


@dataclass
class _Work:
    """The three steps over one training part."""

    settings: AugmentSettings
    generator: TextGenerator
    journal: Journal
    items: ItemTexts
    train: Interactions
    report: AugmentReport = field(default_factory=AugmentReport)

    def __post_init__(self) -> None:
        log = self.train
        # A user's latest rows last; the order of the log where no time is known.
        timed = log.timestamp is not None
        order = log.by_time() if timed else np.argsort(log.user_index, kind="stable")
        self.users, starts = np.unique(log.user_index[order], return_index=True)
        taken = np.split(log.item_index[order], starts[1:])
        self.histories = [
            [self.items.short(item) for item in items[-self.settings.history :].tolist()]
            for items in taken
        ]

    def _ask(self, prompts: Sequence[str], what: Step) -> list[str]:
        """The answers (n,) to prompts (n,), each distinct one asked once.

        They are cut into batches by length at fixed places of the whole list. Who is in a batch
        decides about padding, and so about the last bits: a batch of which an answer is missing is
        asked as a whole, so that a run that was killed ends as one that was not.
        """
        most, size = self.settings.max_new_tokens, self.settings.batch_size
        known = self.journal.answers
        distinct = sorted(set(prompts), key=lambda prompt: (len(prompt), prompt))
        with task(f"ask for {what}", total=len(distinct)) as bar:
            for at in range(0, len(distinct), size):
                batch = distinct[at : at + size]
                keys = [question_key(prompt, most) for prompt in batch]
                reused = sum(key in known for key in keys)
                if reused < len(batch):
                    answers = self.generator.generate(batch, most)
                    self.journal.append(dict(zip(keys, answers, strict=True)))
                self.report.reused += reused
                self.report.asked += len(batch) - reused
                bar.advance(len(batch))
        return [known[question_key(prompt, most)] for prompt in prompts]

    def _count(self, what: Step, counted: Counter[str]) -> None:
        self.report.answers[what] = {USED: 0, **dict(sorted(counted.items()))}

    def feedback(self) -> IndexArray:
        """(T, 3): users, the item that they may like, the one that they may not."""
        if "feedback" not in self.settings.steps:
            return np.empty((0, 3), dtype=np.int64)
        base = create_backbone("itemknn", self.train)
        best = rank(base.scorer(), self.users, self.settings.candidates, exclude=[self.train])
        offered = [row[row >= 0].tolist() for row in best.items]
        asked = [at for at, items in enumerate(offered) if len(items) > 1]
        prompts = [
            feedback_prompt(self.histories[at], [self.items.short(i) for i in offered[at]])
            for at in asked
        ]
        counted: Counter[str] = Counter()
        triples = []
        for at, answer in zip(asked, self._ask(prompts, "feedback"), strict=True):
            pair, verdict = read_feedback(answer, len(offered[at]))
            counted[verdict] += 1
            if pair is not None:
                liked, disliked = (offered[at][place] for place in pair)
                triples.append((int(self.users[at]), liked, disliked))
        self._count("feedback", counted)
        return np.array(triples, dtype=np.int64).reshape(-1, 3)

    def attributes(self) -> dict[str, list[str | None]]:
        """New fields, one value an item or None."""
        if "attributes" not in self.settings.steps:
            return {}
        names = self.settings.attributes
        prompts = [
            attributes_prompt(self.items.long(item), names) for item in range(self.train.n_items)
        ]
        counted: Counter[str] = Counter()
        told = []
        for answer in self._ask(prompts, "attributes"):
            values, verdict = read_attributes(answer, names)
            counted[verdict] += 1
            told.append(values)
        self._count("attributes", counted)
        return {PREFIX + name: [values.get(name) for values in told] for name in names}

    def profiles(self) -> list[str | None]:
        """A description of each of the M users, None where there is none."""
        described: list[str | None] = [None] * self.train.n_users
        if "profiles" not in self.settings.steps:
            return described
        prompts = [profile_prompt(history) for history in self.histories]
        counted: Counter[str] = Counter()
        answers = self._ask(prompts, "profiles")
        for user, answer in zip(self.users.tolist(), answers, strict=True):
            described[user], verdict = read_profile(answer)
            counted[verdict] += 1
        self._count("profiles", counted)
        return described


def _safe(name: str) -> str:
    last = Path(name.removeprefix("hf:")).name or "model"
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in last)


def _link(source: str, target: str) -> None:
    """The same bytes under another name; a copy where the file system cannot link."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
