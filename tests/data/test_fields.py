"""Field tokens against a count by hand."""

from pathlib import Path

import pyarrow as pa
import pytest

from cliper.data import Catalogue, Vocabulary, item_fields
from cliper.errors import MismatchError

VALUES = {
    "title": ["One", "Two", "Three", "Three"],
    "tags": [["a", "b"], ["a", "a"], None, ["b"]],
    "maker": ["M", None, "M", "N"],
}


def test_tokens_are_the_shared_values() -> None:
    items = Vocabulary(["i0", "i1", "i2", "i3"])
    catalogue = Catalogue(items, pa.table(VALUES), (None,) * 4, Path())
    fields = item_fields(catalogue)
    assert fields.tokens == (("title", "Three"), ("tags", "a"), ("tags", "b"), ("maker", "M"))
    assert fields.matrix.toarray().tolist() == [
        [0, 1, 1, 1],
        [0, 1, 0, 0],
        [1, 0, 0, 1],
        [1, 0, 1, 0],
    ]
    assert fields.names == ("title", "tags", "maker")
    assert fields.columns("tags").tolist() == [1, 2] and not len(fields.columns("none"))
    with pytest.raises(MismatchError):
        fields.check(Vocabulary(["x"]))


def test_a_catalogue_without_shared_values_has_no_tokens() -> None:
    items = Vocabulary(["i0", "i1"])
    catalogue = Catalogue(items, pa.table({"title": ["A", "B"]}), (None, None), Path())
    assert item_fields(catalogue).matrix.shape == (2, 0)
