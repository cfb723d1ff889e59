"""The few films, and a random language model in the real format."""

import sys
from pathlib import Path

import pytest

from cliper.data import Dataset
from generated.language_model import write_language_model

sys.path.insert(0, str(Path(__file__).parent))  # for `few_films`
from few_films import films


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return films(tmp_path / "films")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("llama"))
