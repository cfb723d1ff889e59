"""A dataset at a glance: numbers, and a page of them (`cliper describe`)."""

from cliper.experiments.describe.facts import Description, describe
from cliper.experiments.describe.page import description_rows, write_description

__all__ = ["Description", "describe", "description_rows", "write_description"]
