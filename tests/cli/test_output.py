"""Tables and JSON on stdout."""

import io
import json
from contextlib import redirect_stdout

import pytest

from cliper.cli.output import print_facts, print_json, print_table
from cliper.errors import CliperError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_refuses_what_json_cannot_say(capsys):
    with pytest.raises(CliperError):
        print_json({"x": float("nan")})
    assert capsys.readouterr().out == ""
    print_json({"name": "naïve", "n": 1})
    assert json.loads(capsys.readouterr().out) == {"name": "naïve", "n": 1}


def test_plain_tables_mark_and_terminals_rule():
    rows = [["a", "1"], ["[b]", "20"]]
    for stream, mark in ((io.StringIO(), "20*"), (Terminal(), "20")):
        with redirect_stdout(stream):
            print_table(["name", "n"], rows, title="things", right=[1], bold=[(1, 1)])
        lines = [line.rstrip() for line in stream.getvalue().splitlines()]
        assert "things" in lines[0]
        assert any("[b]" in line and mark in line for line in lines), lines


def test_facts_leave_out_what_is_not_known(capsys):
    print_facts([("items", 1200), ("rate", None), ("seconds", 1.25), ("ok", True)], title="t")
    assert capsys.readouterr().out == "t\nitems    1,200\nseconds  1.2\nok       yes\n"
