"""`Pipeline`: an experiment file with stages, checked as far as that goes without the data."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cliper.backbones import backbone_entry
from cliper.data import Dataset, Interactions, Vocabulary
from cliper.errors import InputError
from cliper.experiments.comparisons.check import OWNED, check_comparison
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.pipeline.sections import Sections, StudiesSettings, split_tree
from cliper.experiments.run.config import DatasetSettings, ExperimentConfig
from cliper.experiments.studies import Setting, find_study

_NOWHERE = Dataset("settings alone", Interactions(Vocabulary([]), Vocabulary([]), [], []))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pipeline:
    """What an experiment file asks for.

    Attributes:
        sections: the stages.
        base: the settings that they share, as given.
    """

    sections: Sections
    base: Mapping[str, Any]

    @classmethod
    def build(cls, tree: Mapping[str, Any]) -> "Pipeline":
        """Read a tree, and refuse all that can be seen to be wrong without the dataset.

        Raises:
            InputError: on the first problem, with its key.
        """
        sections, base = split_tree(tree)
        DatasetSettings.parse(base.get("dataset") or {}, where="dataset")
        pipeline = cls(sections, base)
        pipeline._check()
        return pipeline

    @property
    def dataset_path(self) -> Path:
        """Where the dataset is, or will be."""
        return Path(str(self.base["dataset"]["path"]))

    def dataset_or_none(self) -> Dataset | None:
        """The dataset as it is now, None where it cannot be read."""
        try:
            return Dataset.load(self.dataset_path)
        except InputError:
            return None

    @property
    def trains(self) -> bool:
        """One training: a backbone is named, and no search of it (which trains its best)."""
        return self._names_a_backbone and self.sections.search is None

    @property
    def _names_a_backbone(self) -> bool:
        backbone = self.base.get("backbone")
        return isinstance(backbone, Mapping) and "name" in backbone

    def compare_base(self) -> dict[str, Any]:
        """The settings of all variants."""
        plan = self.sections.compare
        assert plan is not None
        return self._shared(plan.backbones, len(self._consumers()) > 1)

    def study_base(self, kind: str) -> dict[str, Any]:
        """The settings of a study's arms, without what it varies where others use that."""
        several = len(self._consumers()) > 1
        base = self._shared([self.study_backbone], several)
        if several:
            for key in find_study(kind).varies:
                if key != "views.include":
                    _drop(base, key)
        return base

    @property
    def study_backbone(self) -> str:
        """Its own, else the one that is trained, else FREEDOM."""
        own = self.sections.studies.backbone if self.sections.studies is not None else None
        named = self.base["backbone"]["name"] if self._names_a_backbone else "freedom"
        return own or str(named)

    def setting(self, kind: str, dataset: Dataset | None) -> Setting:
        """What the arms of a study share; without a dataset, of the views that are named.

        Raises:
            InputError: a dataset that the study does not suit.
        """
        studies, base = self._studies, self.study_base(kind)
        values = studies.values_of(kind)
        if dataset is None:
            views = tuple((base.get("views") or {}).get("include") or ())
            seeds, given = tuple(range(studies.seeds)), None if values is None else tuple(values)
            return Setting(
                _NOWHERE, self.study_backbone, studies.fusion, base, views, seeds, studies.metric,
                given,
            )  # fmt: skip
        return Setting.make(
            dataset,
            base,
            backbone=self.study_backbone,
            fusion=studies.fusion,
            seeds=range(studies.seeds),
            metric=studies.metric,
            values=values,
        )

    def check_with(self, dataset: Dataset) -> None:
        """Refuse studies that do not suit the dataset, where it is there from the start.

        Raises:
            InputError: on the first problem.
        """
        for kind in self.sections.studies.kinds if self.sections.studies is not None else ():
            study, setting = find_study(kind), self.setting(kind, dataset)
            study.check(setting)
            study.plan(setting)

    @property
    def _studies(self) -> StudiesSettings:
        assert self.sections.studies is not None
        return self.sections.studies

    def _consumers(self) -> list[str]:
        """Stages that use the shared settings."""
        kinds = self.sections.studies.kinds if self.sections.studies is not None else []
        found = {
            "train": self.trains,
            "search": self.sections.search is not None,
            "compare": self.sections.compare is not None,
        }
        return [name for name, wanted in found.items() if wanted] + list(kinds)

    def _check(self) -> None:
        sections = self.sections
        consumers = self._consumers()
        self._refuse_without_effect(consumers)
        if sections.search is not None and not self._names_a_backbone:
            raise InputError("a search needs it", where="backbone.name")
        if self.trains:
            ExperimentConfig.build(self.base)
        if sections.search is not None:
            sections.search.space_of(self.base)
        if sections.compare is not None:
            sections.compare.check(self.compare_base())
        if sections.studies is not None:
            self._check_studies(sections.studies)

    def _refuse_without_effect(self, consumers: Sequence[str]) -> None:
        if not consumers:
            unused = next((key for key in self.base if key != "dataset"), None)
            if unused is not None:
                raise InputError(
                    "no stage uses it", where=unused,
                    remedy="name a backbone (backbone.name), or add compare, studies or search",
                )  # fmt: skip
            if self.sections.report:
                raise InputError("there is nothing to report", where="report")
        if self.sections.processes is not None and set(consumers) <= {"train"}:
            raise InputError(
                "has no effect without compare, studies or search", where="processes",
                remedy="leave it out",
            )  # fmt: skip

    def _check_studies(self, studies: StudiesSettings) -> None:
        variant = Variant(self.study_backbone, "cliper", studies.fusion)
        if backbone_entry(self.study_backbone).features == "none":
            raise InputError(
                f"{self.study_backbone} uses no features, there is nothing to study",
                where="studies.backbone", remedy="name one that does, e.g. freedom or vbpr",
            )  # fmt: skip
        for kind in studies.kinds:
            study, setting = find_study(kind), self.setting(kind, None)
            check_comparison([variant], setting.base, {}, studies.metric, fusions_given=False)
            study.check(setting)
            if setting.values is not None:  # bad values show in the arms
                study.plan(setting)

    def _shared(self, backbones: Sequence[str], several: bool) -> dict[str, Any]:
        """The base without what belongs to the training or the search alone."""
        base = {k: v for k, v in deepcopy(dict(self.base)).items() if k != "dataset"}
        if not self._names_a_backbone:
            return base
        for key in OWNED:
            _drop(base, key)
        if several:
            known = {n for b in backbones for n in backbone_entry(b).config.model_fields}
            options = {k: v for k, v in (base.get("backbone") or {}).items() if k in known}
            base = {k: v for k, v in {**base, "backbone": options}.items() if k != "backbone" or v}
        return base


def _drop(tree: dict[str, Any], key: str) -> None:
    """Remove a dotted key, and its section when that is empty then."""
    section, _, name = key.partition(".")
    if isinstance(tree.get(section), dict):
        tree[section].pop(name, None)
        if not tree[section]:
            del tree[section]
