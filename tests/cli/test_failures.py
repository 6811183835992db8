"""Errors as text: what strangers have named does nothing to a terminal."""

from __future__ import annotations

from cfslurm.cli.failures import describe
from cfslurm.errors import InvalidFileError, Problem, UserInputError

_HOSTILE = "\x1b[2Jowned\x07\u202egpj.exe"


def test_control_characters_are_shown_not_done() -> None:
    text = describe(UserInputError(f"repo/{_HOSTILE} has 2 variants", remedy=f"Name {_HOSTILE}."))
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.count("\n") == 1
    assert "\\x1b[2Jowned" in text


def test_lines_of_a_file_keep_their_place() -> None:
    problem = Problem(path="a", message="no", remedy="Yes.", line=1, column=4)
    error = InvalidFileError("w.yaml", (problem,), text=f"\ta: {_HOSTILE}")
    text = describe(error)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "1 |  a: " in text
    assert "  |    ^" in text
