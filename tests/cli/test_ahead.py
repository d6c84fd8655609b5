"""What is started before a command is imported, as far as its arguments say it at a glance."""

from __future__ import annotations

import pytest
from lossdiff.harness.launch import Hint

from lossdiff._cli.ahead import cache_folder, hint_of


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--impl", "numpy=mine.py"],
        ["check", "-o", "run.sqlite", "--impl=numpy=mine.py:loss=cross_entropy"],
        ["check", "--impl", "numpy=mine.py", "--impl", "numpy=yours.py"],
    ],
)
def test_a_check_of_users_functions_needs_a_process_of_their_framework(
    arguments: list[str],
) -> None:
    assert hint_of(arguments) == Hint("numpy", cache=cache_folder())


def test_nothing_that_was_compiled_is_kept_where_the_command_says_so() -> None:
    assert hint_of(["check", "--no-cache", "--impl", "numpy=mine.py"]) == Hint("numpy", cache="")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["check", "--impl"],
        ["check", "--impl", "mine.py"],
        ["report", "--impl", "numpy=mine.py"],
        ["check", "--help", "--impl", "numpy=mine.py"],
        ["check", "--impl", "numpy=mine.py", "--impl", "torch=mine.py"],
        ["check", "--impl", "numpy=mine.py", "--mode=interpret"],
        ["check", "--impl", "numpy=mine.py", "--scheduler", "tcp://host:8786"],
    ],
)
def test_nothing_is_started_where_it_is_not_plain_what_is_needed(arguments: list[str]) -> None:
    assert hint_of(arguments) is None
