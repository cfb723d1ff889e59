"""What a search is, as settings: of an experiment file and of the commands alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from cliper.config import StrictConfig
from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig, with_values
from cliper.experiments.search.kinds import PrunerKind, SamplerKind
from cliper.experiments.search.presets import preset
from cliper.experiments.search.space import Choice, Range, check_space, parse_space
from cliper.parallel import Workers

if TYPE_CHECKING:
    from cliper.experiments.search.write import SearchResult


class DrawSettings(StrictConfig):
    """What is searched, and how."""

    space: dict[str, str | list[Any]] = Field(
        default_factory=dict, description="key → values, or `low..high`, or `low..high:log`"
    )
    preset: Literal["paper", "backbone"] | None = None
    trials: int = Field(40, ge=1, description="configurations to try")
    sampler: SamplerKind = "tpe"
    prune: PrunerKind = "median"
    warmup: int = Field(5, ge=0, description="epochs before one may be broken off")

    def space_texts(self) -> tuple[str, ...]:
        """The space as `parse_space` reads it."""
        return tuple(f"{key}={_text(values)}" for key, values in self.space.items())


class SearchSettings(DrawSettings):
    """A search of one experiment's settings; `preset: backbone` where nothing is named."""

    def space_of(self, tree: Mapping[str, Any]) -> dict[str, Choice | Range]:
        """The space, without preset settings that the experiment sets itself.

        Args:
            tree: the experiment, as given.

        Raises:
            InputError: a setting that is set and searched, or a value out of range.
        """
        base = ExperimentConfig.build(tree)

        def is_set(key: str) -> bool:
            section, name = key.split(".")
            return name in tree.get(section, {})

        space = parse_space(self.space_texts(), base.backbone_name)
        for key in filter(is_set, space):
            raise InputError("is set and searched at once", where=key, remedy="leave one out")
        if self.preset is not None or not space:
            named = preset(self.preset or "backbone", base)
            space = {**{key: one for key, one in named.items() if not is_set(key)}, **space}
        check_space(space, lambda params: ExperimentConfig.build(with_values(tree, params)))
        return space

    def run(
        self,
        dataset: Dataset,
        tree: Mapping[str, Any],
        out: Path,
        *,
        processes: Workers = None,
    ) -> "SearchResult":
        """Search, then train and test the best once; see `search` and `conclude`.

        Args:
            dataset: loaded from the tree's `dataset.path`.
            tree: the experiment, as given.
            out: gets everything; an interrupted search goes on there.
            processes: see `train_all`.
        """
        # Optuna is an extra, and needed here alone: settings are read without it.
        from cliper.experiments.search.run import search
        from cliper.experiments.search.write import conclude

        space = self.space_of(tree)

        def build(params: dict[str, Any]) -> ExperimentConfig:
            return ExperimentConfig.build(with_values(tree, params))

        outcome = search(
            dataset,
            build,
            space,
            out,
            trials=self.trials,
            seed=ExperimentConfig.build(tree).training.seed,
            sampler=self.sampler,
            prune=self.prune,
            warmup=self.warmup,
            processes=processes,
        )
        return conclude(dataset, build, outcome, out)


def _text(values: str | list[Any]) -> str:
    return values if isinstance(values, str) else ",".join(_plain(value) for value in values)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
