"""Exit statuses, one-line errors, help."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from cliper.cli.application import VERBS, root
from cliper.cli.usage import spread


def commands() -> list[tuple[str, ...]]:
    context = click.Context(root, info_name="cliper")
    found: list[tuple[str, ...]] = []
    for name in VERBS:
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        if isinstance(command, click.Group):
            found += [(name, sub) for sub in command.commands]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_verb_documents_itself_with_an_example(cliper, command):
    answer = cliper(*command, "--help")
    assert answer.status == 0
    assert f"cliper {' '.join(command)}" in answer.out.split("Example:")[1]
    assert answer.err == ""


def test_bare_command_shows_every_verb(cliper):
    answer = cliper()
    assert answer.status == 0
    assert all(f"\n  {verb} " in answer.out for verb in VERBS)


def test_help_and_import_load_nothing_heavy():
    code = (
        "import sys, cliper; from cliper.cli import main; status = main(['train', '--help']);"
        "heavy = {'torch', 'transformers', 'numpy', 'pyarrow', 'scipy', 'pydantic', 'rich'};"
        "assert status == 0; assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


WRONG = [
    (["trian"], "did you mean 'train'?"),
    (["--backbone"], "no option '--backbone'"),
    (["train"], "'DATASET'"),
    (["train", "{data}"], "'--out'"),
    (["train", "{data}", "--out", "{new}", "--backbon", "bpr"], "did you mean '--backbone'?"),
    (["train", "{data}", "--out", "{new}", "--backbone", "fredom"], "did you mean 'freedom'?"),
    (["train", "{data}", "--out", "{new}", "--epochs", "many"], "'--epochs'"),
    (["train", "{data}", "--out", "{new}", "--features", "clipper"], "features.kind"),
    (["train", "{data}", "--out", "{new}", "--split", "rnd"], "split.kind"),
    (["train", "{data}", "--out", "{new}", "--set", "training.sed=1"], "did you mean 'seed'?"),
    (["train", "{data}", "--out", "{new}", "--set", "backbone.n_layer=1"], "'n_layers'?"),
    (["train", "{data}", "--out", "{new}", "--set", "training.seed"], "not key=value"),
    (["train", "{data}", "--out", "{new}", "--set", "dataset.path=x"], "the argument DATASET"),
    (["train", "{data}", "--out", "{new}", "--template", "title"], "--template"),
    (["train", "{data}", "--out", "{new}", "--views", " , "], "--views"),
    (
        ["train", "{data}", "--out", "{new}", "--backbone", "bpr", "--features", "cliper"],
        "use --features none",
    ),
    (
        ["train", "{data}", "--out", "{new}", "--fusion", "sum", "--temperature", "0.2"],
        "fusion.temperature",
    ),
    (["train", "{new}", "--out", "{new}"], "not a dataset directory"),
    (["encode", "{data}", "--encoder", "clip-vit-b32"], "did you mean 'clip-vit-b-32'?"),
    (["encode", "{data}", "--views", "titel"], "did you mean 'title'?"),
    (["evaluate", "{new}"], "not a finished run"),
    (["evaluate", "{run}", "--mask", "all"], "evaluation.mask"),
    (["run", "{new}/none.yaml", "--out", "{new}"], "no such file"),
    (["list", "backbone"], "did you mean 'backbones'?"),
    (["recommend", "{run}", "--user", "usr-1"], "did you mean 'user-1"),
    (["recommend", "{run}", "--user", "user-1", "-k", "0"], "'-k'"),
    (["recommend", "{run}", "--user", "user-1", "--candidates", "{new}/f"], "No such file"),
    (["similar", "{run}", "--item", "product-1"], "unknown item"),
    (["export", "{run}", "--out", "{new}", "--format", "mmrc"], "did you mean 'mmrec'?"),
    (["export", "{run}", "--out", "{data}"], "choose another --out"),
    (["prepare", "files", "--interactions", "{new}/log.csv", "--out", "{new}"], "log.csv"),
    (["prepare", "mmrec", "--source", "{new}", "--out", "{new}/d"], "no such folder"),
    (["prepare", "fils"], "did you mean 'files'?"),
    (["train", "{data}", "--backbone", "bpr", "--out", "{file}"], "this is a file"),
    (["compare", "{data}", "--backbones", "bpr", "--out", "{file}/c"], "this is a file"),
    (["study", "views", "{data}", "--out", "{file}"], "this is a file"),
    (["demo", "--out", "{file}"], "this is a file"),
    (["export", "{run}", "--out", "{file}"], "this is a file"),
    (["encode", "{data}", "--views", "titel"], "did you mean 'title'?"),
    (
        ["prepare", "files", "--interactions", "{file}", "--min-rating", "nan", "--out", "{new}"],
        "min_rating: the lowest rating must be a number, got nan",
    ),
    (["prepare", "amazon", "--year", "2014"], "missing option '--category'"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else ""
)
def test_wrong_input_is_one_line_and_status_2(cliper, dataset, bpr_run, tmp_path, arguments, said):
    places = {"data": dataset, "run": bpr_run, "new": tmp_path / "new", "file": tmp_path / "file"}
    places["file"].write_text("user_id,item_id\n")
    answer = cliper(*(a.format(**places) for a in arguments))
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_an_unexpected_error_is_status_1_and_names_its_type(cliper, monkeypatch, tmp_path):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("cliper.data.prepare_files", broken)
    arguments = ["prepare", "files", "--interactions", "log.csv", "--out", tmp_path]
    answer = cliper(*arguments)
    assert answer.status == 1
    assert answer.err == "cliper: ZeroDivisionError: a b (--debug shows where)\n"
    for debugging in (["--debug", *arguments], [*arguments, "--debug"]):
        assert "Traceback" in cliper(*debugging).err
    monkeypatch.setenv("CLIPER_DEBUG", "1")
    assert "Traceback" in cliper(*arguments).err


def test_interrupted_is_status_130_and_says_what_is_kept(cliper, monkeypatch, tmp_path):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cliper.data.prepare_files", interrupted)
    answer = cliper("prepare", "files", "--interactions", "log.csv", "--out", tmp_path)
    assert answer.status == 130
    assert answer.err.startswith("cliper: interrupted; no dataset was written")
    assert answer.err.count("\n") == 1


def test_a_path_that_cannot_be_one_is_the_users(cliper, dataset, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "run"
    answer = cliper("train", dataset, "--backbone", "bpr", "--out", out)
    assert answer.status == 2
    assert "this is a file" in answer.err


def test_reader_of_stdout_may_leave(dataset: Path):
    code = "import sys; from cliper.cli import main; sys.exit(main(['list', 'splits']))"
    script = f'{sys.executable} -c "{code}" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""


def test_many_values_after_one_option():
    assert spread(["--user", "a", "b", "--user=c", "d"], ["--user"]) == [
        "--user", "a", "--user", "b", "--user=c", "d",
    ]  # fmt: skip
    assert spread(["--user", "-1", "-k", "2", "x"], ["--user"]) == [
        "--user", "-1", "-k", "2", "x",
    ]  # fmt: skip
