"""YAML as YAML 1.2 reads it (its core schema), each key once.

The library reads YAML 1.1, in which `010` is 8, `1:30` is 90, `1_000` is 1000 and `no` is false.
Here all of these are texts: where a number or a truth value is wanted they are refused, and where
a name is wanted they are that name. `1e-3` is a number, as everybody means it.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from cliper.errors import InputError

MOST = 100_000  # values in a settings file
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_RULES = (
    ("tag:yaml.org,2002:bool", _BOOL, "tTfF"),
    ("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", _INT, "-+0123456789"),
    ("tag:yaml.org,2002:float", _FLOAT, "-+.0123456789"),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 (the library's own way)

    def get_single_node(self) -> Any:
        """Refuse a document whose aliases make much of little, before anything is made of it."""
        node: Any = super().get_single_node()
        if node is not None and _size(node, {}) > MOST:
            raise yaml.YAMLError(f"aliases make more than {MOST:,} values of it")
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse a key that is given twice, before `<<` brings in others."""
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if key in lines:
                raise _Twice(str(key), lines[key], line)
            lines[key] = line
        super().flatten_mapping(node)


def _size(node: Any, known: dict[int, int]) -> int:
    """How many values a node stands for; an alias for as many as what it names."""
    if id(node) not in known:
        known[id(node)] = MOST  # a node that holds itself
        parts: list[Any] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


class _Dumper(yaml.SafeDumper):
    """Quotes a text that YAML 1.1 or 1.2 would read as something else."""


class _Twice(yaml.YAMLError):
    def __init__(self, key: str, first: int, again: int) -> None:
        super().__init__(f"{key!r} is given twice, in line {first} and in line {again}")
        self.again = again


for _tag, _rule, _first in _RULES:
    _whole = re.compile(f"(?:{_rule.pattern})\\Z")
    _Loader.add_implicit_resolver(_tag, _whole, list(_first))
    _Dumper.add_implicit_resolver(_tag, _whole, list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"])


def read_yaml(text: str, where: str) -> Any:
    """The value of a YAML text.

    Args:
        text: one document.
        where: the file or option, for messages.

    Raises:
        InputError: no YAML, or a key that is given twice, with its lines.

    >>> read_yaml("[010, 1_000, 0x1f, 1:30, yes, 12, 1e-3, true]", "here")
    ['010', '1_000', '0x1f', '1:30', 'yes', 12, 0.001, True]
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except _Twice as error:
        raise InputError(
            str(error), where=f"{where}, line {error.again}", remedy="give each key once"
        ) from None
    except Exception as error:  # the library's tags raise whatever Python does (`!!int ''`)
        summary = " ".join(str(error).split())
        raise InputError(f"not valid YAML: {summary}", where=where) from None


def write_yaml(tree: Any) -> str:
    """A YAML text that `read_yaml`, and a reader of YAML 1.1, read as the same tree."""
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def assign(tree: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `key=value` assignments (`--set`); values are read as YAML scalars or lists.

    >>> assign({"training": {"seed": 0}}, ["training.seed=3", "evaluation.k=[10, 20]"])
    {'training': {'seed': 3}, 'evaluation': {'k': [10, 20]}}
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise InputError(f"not key=value: {assignment!r}", where="--set")
        *parents, last = key.strip().split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise InputError(f"{parent!r} is no section", where=f"--set {key}")
        node[last] = parse_value(text, key)
    return tree


def parse_value(text: str, key: str) -> Any:
    """One value as written on a command line (see `read_yaml`)."""
    return read_yaml(text, f"--set {key}")
