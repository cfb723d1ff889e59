"""The file of answers under kills and damage."""

from pathlib import Path

from cliper.augment.journal import Journal, question_key


def test_a_line_that_a_kill_cut_off_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    journal = Journal(path)
    journal.append({"a": "1", "b": "2\n3 \ud800"})
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        again = Journal(path)
        assert set(again.answers) == {"a", "b"} & set(again.answers)
        assert again.damaged == 0
        again.append({"a": "1", "b": "2\n3 \ud800"})
        assert Journal(path).answers == {"a": "1", "b": "2\n3 \ud800"}


def test_damaged_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    Journal(path).append({"a": "1"})
    bomb = b"[" * 100_000
    with path.open("ab") as stream:
        stream.write(b'{"key": 1, "answer": "x"}\n"text"\n\xff\xfe\n' + bomb + b"\n{}\n")
    Journal(path).append({"c": "3"})
    found = Journal(path)
    assert found.answers == {"a": "1", "c": "3"} and found.damaged == 5


def test_the_first_answer_stands(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    journal = Journal(path)
    journal.append({"a": "1"})
    journal.append({"a": "2"})
    assert Journal(path).answers == {"a": "1"}
    assert len(path.read_bytes().splitlines()) == 1


def test_a_key_is_of_the_prompt_and_the_length_asked_for() -> None:
    keys = {question_key(p, n) for p in ("a", "b", "a\0") for n in (1, 2)}
    assert len(keys) == 6
