"""All readers of the package."""

from generated.fuzz.directories import directory_readers
from generated.fuzz.models import model_readers
from generated.fuzz.reader import Reader
from generated.fuzz.settings import answer_readers, settings_readers
from generated.fuzz.tables import layout_readers, table_readers


def all_readers() -> dict[str, Reader]:
    """By name."""
    found = [
        *table_readers(), *layout_readers(), *settings_readers(), *answer_readers(),
        *directory_readers(), *model_readers(),
    ]  # fmt: skip
    named = {one.name: one for one in found}
    if len(named) != len(found):
        raise ValueError("two readers of one name")
    return named
