"""Things by name: found late, once, and with a helpful refusal."""

import sys
from pathlib import Path

import pytest

from cliper.errors import InputError
from cliper.registry import Registry

MODULE = "import {holder}\n{holder}.KINDS.add({name!r}, {value})\n"


@pytest.fixture
def lamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    """Three modules on the path that add an entry each, in an order that is not the alphabet's."""
    registry: Registry[int] = Registry("lamp", lambda: ["desk_lamp", "ceiling", "arc"])
    holder = type(sys)("holder_of_lamps")
    holder.KINDS = registry
    monkeypatch.setitem(sys.modules, "holder_of_lamps", holder)
    for value, name in enumerate(["desk-lamp", "ceiling", "arc"]):
        text = MODULE.format(holder="holder_of_lamps", name=name, value=value)
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield registry
    for module in ("desk_lamp", "ceiling", "arc"):
        sys.modules.pop(module, None)


def test_an_entry_is_found_by_the_name_of_its_module(lamps: Registry[int]) -> None:
    assert lamps.get("desk-lamp") == 0
    assert "desk_lamp" in sys.modules and "arc" not in sys.modules


def test_all_entries_stand_in_the_order_of_their_modules(lamps: Registry[int]) -> None:
    lamps.get("arc")
    assert lamps.all() == {"arc": 2, "desk-lamp": 0, "ceiling": 1}


def test_an_entry_of_another_modules_name_is_found_too(lamps: Registry[int]) -> None:
    lamps.modules = lambda: ["desk_lamp", "holder_of_lamps"]
    lamps.add("floor", 7)
    assert lamps.find("floor") == 7 and lamps.find("moon") is None


def test_an_unknown_name_is_told_the_nearest(lamps: Registry[int]) -> None:
    with pytest.raises(InputError, match=r"no lamp 'ceilling' \(did you mean 'ceiling'\?\)"):
        lamps.get("ceilling")


def test_a_name_is_given_once(lamps: Registry[int]) -> None:
    lamps.get("arc")
    with pytest.raises(ValueError, match="two lamps are named 'arc'"):
        lamps.add("arc", 3)
