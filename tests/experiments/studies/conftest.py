"""Every study, run once on a small world."""

import sys
from pathlib import Path

import pytest

from cliper.data import Dataset
from cliper.experiments.studies import Setting, StudyResult, run_study

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from noisy_views import BASE, VALUES, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


class Studies:
    """Studies by name, each run when it is first asked for."""

    def __init__(self, dataset: Dataset, out: Path) -> None:
        self.dataset, self.out = dataset, out
        self._done: dict[str, StudyResult] = {}

    def __getitem__(self, name: str) -> StudyResult:
        if name not in self._done:
            self._done[name] = self.again(name)
        return self._done[name]

    def again(self, name: str) -> StudyResult:
        setting = Setting.make(self.dataset, BASE, seeds=(0, 1), values=VALUES.get(name))
        return run_study(name, setting, self.out)


@pytest.fixture(scope="session")
def studies(world: Dataset, out: Path) -> Studies:
    return Studies(world, out)
