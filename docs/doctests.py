"""Doctests of docstrings as blocks of code, for the reference."""

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(griffe.Extension):
    """Markdown would read `>>>` as a quotation in a quotation."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence each paragraph that is a doctest."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub("```pycon\n\\g<0>\n```", obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """The package itself is not among the objects."""
        self.on_object(obj=pkg)
