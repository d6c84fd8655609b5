"""What the command line accepts, what it refuses in one line, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from lossdiff._cli.main import COMMANDS, cli
from lossdiff._cli.status import Status

from .command import as_process


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chek"], "unknown command 'chek'; did you mean check? allowed: bench, check"),
        (["check", "--sute", "quick"], "unknown option '--sute'; did you mean --suite"),
        (["check", "--suite", "quikc"], "unknown suite 'quikc'; did you mean quick? allowed: qu"),
        (["check", "--backend", "torsh"], "unknown framework 'torsh'; did you mean torch? allow"),
        (["check", "--operation", "softmx"], "unknown operation 'softmx'; did you mean softmax "),
        (["check", "--mode", "jot"], "unknown mode 'jot'; did you mean jit? allowed: eager, com"),
        (["check", "--device", "gpus"], "unknown device 'gpus'; did you mean gpu"),
        (["check", "--impl", "torsh=a.py"], "unknown framework 'torsh'; did you mean torch? all"),
        (["check", "--impl", "torch"], "'torch' is not FRAMEWORK=FILE, such as torch=mine.py"),
        (["check", "--impl", "torch="], "'torch=' is not FRAMEWORK=FILE"),
        (["check", "--impl", "numpy=none.py"], "there is no file none.py"),
        (["check", "--impl", "numpy=a\udcff"], "a\\xff is not UTF-8: move or rename it"),
        (["check", "--backend", "jax", "--impl", "torch=json"], "--impl names torch, which --ba"),
        (["check", "--cases", "none.npz"], "there is no case file none.npz"),
        (
            ["check", "--seed", "-1"],
            "--seed needs a whole number from 0 to 9223372036854775807, was given '-1'",
        ),
        (
            ["check", "--count", "0"],
            "--count needs a whole number from 1 to 1000000, was given '0'",
        ),
        (["check", "--shard", "3/2"], "'3/2' is not I/N with I from 1 to N, such as 1/4"),
        (["check", "--shard", "half"], "'half' is not I/N with I from 1 to N, such as 1/4"),
        (["check", "--memory", "-1"], "--memory needs a number from 0 to 1048576, was given '-1'"),
        (
            ["check", "--memory", "inf"],
            "--memory needs a number from 0 to 1048576, was given 'inf'",
        ),
        (["check", "--memory", "nan"], "to 1048576, was given 'nan'"),
        (["check", "--memory", "1e400"], "to 1048576, was given '1e400'"),
        (
            ["check", "--timeout", "nan"],
            "--timeout needs a number above 0, up to 1000000, was given 'nan'",
        ),
        (["bench", "--timeout", "inf"], "up to 1000000, was given 'inf'"),
        (["repro", "a", "b", "--timeout", "1e7"], "up to 1000000, was given '1e7'"),
        (
            ["compare", "a", "b", "--effect", "nan"],
            "--effect needs a number above 0, up to 10, was g",
        ),
        (["check", "--shard", "1/9999999999"], "'1/9999999999' has too many parts: at most 9999"),
        (
            ["check", "--shard", f"{'9' * 5000}/4"],
            "'… (5,002 characters) is not I/N with I from 1 to N",
        ),
        (["check", "--jobs", "1000000000"], "--jobs needs a whole number from 0 to 10000"),
        (["check", "--seed", f"1{'0' * 30}"], "from 0 to 9223372036854775807, was given '1000"),
        (["check", "--count", f"1{'0' * 30}"], "from 1 to 1000000, was given '1000"),
        (["bench", "--passes", f"1{'0' * 30}"], "from 1 to 10000, was given '1000"),
        (["merge", "-o", "a"], "Missing argument 'RUN.sqlite...'"),
        (["merge", "a", "b"], "merge needs -o FILE, where the whole goes"),
        (["merge", "a", "a", "-o", "b"], "a is named twice"),
        (["merge", "a", "b", "-o", "a"], "-o a is one of the runs that are to be joined"),
        (["merge", "a", "b", "-o", "c"], "there is no run file a"),
        (["check", "--timeout", "0"], "above 0, up to 1000000, was given '0'"),
        (["check", "--jobs", "many"], "from 0 to 10000, was given 'many'"),
        (["check", "--backend"], "'--backend' requires an argument"),
        (["check", "more"], "unexpected extra argument (more)"),
        (["bench", "--dtype", "float31"], "unknown dtype 'float31'; did you mean float32"),
        (["show"], "Missing argument 'RUN.sqlite'"),
        (["show", "none.sqlite"], "there is no run file none.sqlite"),
        (["show", "a", "--verdict", "inacurate"], "unknown verdict 'inacurate'; did you mean in"),
        (["show", "a", "--format", "json"], "unknown format 'json'; did you mean jsonl"),
        (["report"], "Missing argument 'RUN.sqlite...'"),
        (["report", "none.sqlite"], "there is no run file none.sqlite"),
        (["repro", "none.sqlite"], "Missing argument 'CASE_ID'"),
        (["repro", "none.sqlite", "a"], "there is no run file none.sqlite"),
        (["repro", "a", "b", "--timeout", "0"], "above 0, up to 1000000, was given '0'"),
        (["list", "operation"], "'operation'; did you mean operations"),
        (["list"], "Missing argument 'operations|names|implementations|cases|ledger'"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    lossdiff: Any, arguments: list[str], expected: str
) -> None:
    ended = lossdiff(*arguments)

    assert ended.status == Status.USAGE
    assert expected in ended.error
    assert ended.out == ""
    assert list(Path().iterdir()) == []


def test_without_a_command_the_help_is_shown(lossdiff: Any) -> None:
    ended = lossdiff()

    assert (ended.status, ended.err) == (Status.USAGE, "")
    assert "check" in ended.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(lossdiff: Any, command: str) -> None:
    ended = lossdiff(command, "--help")

    assert (ended.status, ended.err) == (Status.OK, "")
    assert f"lossdiff {command}" in ended.out


def test_it_is_a_program_with_the_statuses_that_are_promised() -> None:
    version, usage = as_process("--version"), as_process("check", "--suite", "slow")

    assert (version.returncode, version.stderr) == (Status.OK, "")
    assert version.stdout.startswith("lossdiff, version ")
    assert (usage.returncode, usage.stdout) == (Status.USAGE, "")
    assert usage.stderr == (
        "lossdiff: unknown suite 'slow'; allowed: quick, full, worked, fuzz, domain, onnx\n"
    )  # fmt: skip


def test_the_help_of_all_commands_is_what_click_itself_would_print() -> None:
    plain = click.Group("lossdiff", {name: _command(name) for name in COMMANDS})

    def listed(group: click.Group) -> str:
        context = click.Context(group, info_name="lossdiff")
        formatter = context.make_formatter()
        group.format_commands(context, formatter)
        return formatter.getvalue()

    assert listed(cli) == listed(plain)


def _command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found
