"""Items that came after the training: what the run's model makes of their fields and pictures."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from cliper.backbones import backbone_entry
from cliper.backbones.new_items import embed_items, refuse_new_items
from cliper.config import nearest
from cliper.data import Catalogue, Dataset, ItemFields, Split, Vocabulary, item_fields
from cliper.data.readers.fields import written
from cliper.data.vocabulary import check_unicode
from cliper.encoders.base import Encodings
from cliper.encoders.fitted import encode_some
from cliper.errors import InputError
from cliper.representation.augmented import augmented_users
from cliper.representation.features import ItemFeatures
from cliper.representation.later import LaterItems
from cliper.representation.settings import RepresentationSettings
from cliper.runs import RunDirectory
from cliper.scoring import Scorer
from cliper.types import FloatArray, IndexArray


class NewItems:
    """A run's representation and backbone, loaded when the first item comes; nothing is trained.

    Args:
        run: finished.
        dataset: what it was trained on, with its encoding store.

    Raises:
        InputError: another dataset, or a model or features that cannot take new items.
    """

    def __init__(self, run: RunDirectory, dataset: Dataset) -> None:
        self.run, self.dataset = run, dataset
        tree = run.read_config()
        self._options = dict(tree["backbone"])
        self._entry = backbone_entry(str(self._options.pop("name")))
        sections = ("views", "encoder", "features", "fusion", "split")
        kept = {name: tree[name] for name in sections if name in tree}
        self._settings = RepresentationSettings.parse(kept)
        refuse_new_items(self._entry, self._settings.features.kind != "none")
        if dataset.catalogue is None or dataset.hash != run.read_results().dataset.hash:
            raise InputError(
                "not the dataset that the run was trained on",
                where=str(dataset.path or dataset.name),
                remedy="give that one: Recommender.load(run, dataset=…)",
            )
        self.catalogue = dataset.catalogue
        with_features = self._settings.features.kind != "none"
        self._added: dict[str, tuple[Catalogue, Encodings]] = {}
        weights = run.read_results().features.weights
        self._later = LaterItems(dataset, self._settings, weights) if with_features else None

    def grown(self, new: Catalogue) -> Iterator[tuple[Catalogue, Scorer]]:
        """New items and the model over the training catalogue with them behind it.

        All at once where items do not see each other; else one by one, so that what an item gets
        does not depend on which others came with it.
        """
        step = 1 if self._entry.backbone.items_interact else max(1, len(new.items))
        for start in range(0, len(new.items), step):
            part = _rows(new, np.arange(start, min(start + step, len(new.items))))
            yield part, self._scorer(part)

    def _scorer(self, new: Catalogue) -> Scorer:
        if self._later is None:
            return self._behind(new, None)
        if self._settings.features.kind == "vanilla":
            return self._behind(new, self._later.of(new))
        encodings = self._later.encoded(new)
        for at, name in enumerate(new.items.ids()):
            self._added[name] = (_rows(new, np.array([at])), rows_of(encodings, np.array([at])))
        return self._behind(new, self._later.fused(new.items, encodings))

    def encodings_of(self, item: str) -> Encodings:
        """Views and picture of one item, of the training catalogue or added, in encoder space.

        Raises:
            InputError: the run's features are not made of views.
        """
        if self._later is None or self._settings.features.kind != "cliper":
            raise InputError(
                "the model's features are not made of views, no share can be theirs",
                where="explain",
                remedy="train with --features cliper",
            )
        if item in self._added:
            return self._added[item][1]
        return rows_of(self._later.encodings, self.catalogue.items.indices([item], "item"))

    @property
    def known_encodings(self) -> Encodings:
        """Of the training catalogue, where `encodings_of` refuses none of it."""
        assert self._later is not None
        return self._later.encodings

    def added(self, item: str) -> Encodings | None:
        """Of an added item."""
        return self._added[item][1] if item in self._added else None

    def encoded_text(self, text: str) -> FloatArray:
        """A text in encoder space, (D,)."""
        assert self._later is not None
        encoder = self._later.encoder
        vector: FloatArray = encode_some(encoder.encode_text, encoder.width, [text])[0][0]
        return vector

    def encoded_picture(self, path: Path) -> FloatArray:
        """A picture in encoder space, (D,).

        Raises:
            InputError: it cannot be used.
        """
        assert self._later is not None
        encoder = self._later.encoder
        vector: FloatArray = encode_some(encoder.encode_image, encoder.width, [path])[0][0]
        return vector

    def as_new(self, item: str, variants: Encodings) -> Iterator[Scorer]:
        """The model with variants of one item behind the training catalogue.

        All at once, or one by one where items see each other.
        """
        assert self._later is not None
        if item in self._added:
            described = self._added[item][0]
        else:
            described = _rows(self.catalogue, self.catalogue.items.find([item]))
        count = len(variants.image)
        step = 1 if self._entry.backbone.items_interact else count
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count))
            names = Vocabulary([f"\0{row}" for row in rows])  # no item of a catalogue is named so
            table = described.table.take(pa.array(np.zeros(len(rows), np.int64)))
            new = Catalogue(names, table, (None,) * len(rows), Path())
            yield self._behind(new, self._later.fused(names, rows_of(variants, rows)))

    @torch.inference_mode()
    def _behind(self, new: Catalogue, features: ItemFeatures | None) -> Scorer:
        """The model over the training catalogue with new items behind it."""
        both = None
        if features is not None and self._later is not None:
            both = (self._later.features, features)
        augmented = None
        if "augmentation" in self._entry.backbone.extra_inputs:
            augmented = augmented_users(self.dataset, self._settings, self._split)
        return embed_items(
            self._entry,
            self._options,
            self._split.train,
            self._state,
            new.items,
            both,
            None if self._fields is None else self._fields.with_items(new),
            augmented,
        )

    @cached_property
    def _state(self) -> dict[str, torch.Tensor]:
        return self.run.read_tensors("model.safetensors")

    @cached_property
    def _split(self) -> Split:
        return self._settings.split.of(self.dataset)

    @cached_property
    def _fields(self) -> ItemFields | None:
        wanted = "fields" in self._entry.backbone.extra_inputs
        return item_fields(self.catalogue) if wanted else None


def listed(items: object) -> list[Mapping[str, Any]]:
    """Items that somebody gave, each a mapping with an id.

    Raises:
        InputError: they are something else.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InputError(f"a list of items, got {type(items).__name__}", where="items")
    items = list(items)
    for at, item in enumerate(items):
        if not isinstance(item, Mapping):
            kind = type(item).__name__
            raise InputError(f"a mapping of fields, got {kind}", where=f"items[{at}]")
        if not isinstance(item.get("item_id"), str) or not item["item_id"]:
            raise InputError("no item_id", where=f"items[{at}]", remedy="a text, once each")
        check_unicode(item["item_id"], f"items[{at}].item_id")
        if "\0" in item["item_id"]:
            raise InputError("a zero byte in the item_id", where=f"items[{at}]")
    return items


def described(items: Sequence[Mapping[str, Any]], like: pa.Table) -> Catalogue:
    """Items as they were given, in the columns of a table of the training catalogue's fields.

    Raises:
        InputError: no id, an unknown field, or a value of another type.
    """
    known = (*like.column_names, "item_id", "image")
    items = listed(items)
    ids = [item["item_id"] for item in items]
    for item in items:
        for name in item:
            if name not in known:
                where = f"item {item['item_id']!r}"
                remedy = nearest(str(name), list(known))
                raise InputError(f"unknown field {name!r}", where=where, remedy=remedy)
    columns = {
        field.name: [_value(item.get(field.name), field, item["item_id"]) for item in items]
        for field in like.schema
    }
    images = [item.get("image") for item in items]
    table = pa.table(columns, schema=like.schema)
    names = tuple(None if image is None else str(image) for image in images)
    return Catalogue(Vocabulary(ids), table, names, Path())


def _value(value: Any, field: pa.Field, item: str) -> Any:
    """One value in its column's type, written as `prepare` would have written it."""
    is_list = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
    if isinstance(value, np.ndarray | np.generic):  # of a row of a data frame
        value = value.tolist()
    if is_list:
        parts = value if isinstance(value, list | tuple) else [value]
        texts = [_text(part, field.name, item) for part in parts]
        return [text for text in texts if text is not None] or None
    return _text(value, field.name, item)


def _text(value: Any, field: str, item: str) -> str | None:
    """None where nothing is said: nothing, an empty text, NaN."""
    where = f"item {item!r}, field {field!r}"
    if isinstance(value, str):
        check_unicode(value, where)
        return value.strip() or None
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    try:
        return written(value)
    except TypeError:
        raise InputError(f"not a text or a number: {value!r}", where=where) from None


def _rows(catalogue: Catalogue, rows: IndexArray) -> Catalogue:
    """Some items of a catalogue."""
    return Catalogue(
        Vocabulary(catalogue.items.ids(rows)),
        catalogue.table.take(pa.array(rows)),
        tuple(catalogue.images[row] for row in rows),
        catalogue.image_root,
    )


def rows_of(encodings: Encodings, rows: IndexArray) -> Encodings:
    """The encodings of some items (n,)."""
    return replace(
        encodings,
        text=np.asarray(encodings.text[:, rows]),
        text_present=np.asarray(encodings.text_present[:, rows]),
        image=np.asarray(encodings.image[rows]),
        image_present=np.asarray(encodings.image_present[rows]),
    )
