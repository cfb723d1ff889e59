"""Tables and JSON on stdout."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import cliper.cli
from cliper.cli import main
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


HOSTILE = "\x1b]52;c;ZXZpbA==\x07a\nb\r\u202e\x9b"


def test_control_characters_do_not_reach_the_terminal(capsys):
    for stream in (io.StringIO(), Terminal()):
        with redirect_stdout(stream):
            print_table([HOSTILE], [[HOSTILE]], title=HOSTILE)
            print_facts([("name", HOSTILE)], title=HOSTILE)
            print_json({HOSTILE: HOSTILE})
        text = stream.getvalue()
        assert not set("\x07\r\u202e\x9b") & set(text) and "\x1b]" not in text
        assert r"\x1b]52;c;ZXZpbA==\x07a" in text
        assert json.loads(text[text.rindex("\n{") :]) == {HOSTILE: HOSTILE}
    main(["recommend", f"no-run-{HOSTILE}", "--user", "u"])
    assert "\x1b" not in capsys.readouterr().err


def test_nothing_else_prints():
    """Whatever a command says goes through `output`, or through `main`, which escape it."""
    folder = Path(cliper.cli.__file__).parent
    files = {path.name: path.read_text() for path in folder.rglob("*.py")}
    prints = {name for name, text in files.items() if re.search(r"click\.s?echo\(", text)}
    assert prints == {"output.py", "application.py"}


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "2>&-"])
def test_closed_streams(closed, tmp_path):
    code = "import sys; from cliper.cli import main; sys.exit(main())"
    command = f'"{sys.executable}" -c "{code}" list splits {closed}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == (2 if ">&- " in f"{closed} " and closed[0] == ">" else 0)
    assert "Error" not in done.stderr


def test_a_letter_that_the_encoding_lacks(monkeypatch):
    bytes_out = io.BytesIO()
    stream = io.TextIOWrapper(bytes_out, "latin-1", errors="backslashreplace", write_through=True)
    with redirect_stdout(stream):
        print_json({"item": "日😀"})
        print_table(["日"], [["本"]])
    text = bytes_out.getvalue().decode("latin-1")
    assert json.loads(text[: text.index("}") + 1]) == {"item": "日😀"} and r"\u672c" in text
