"""Every option of every sub-command with texts that nobody means, and files that are none.

click lists the options, so that a new one is tried, too. What is refused is refused in one line;
nothing hangs, and no traceback is ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from lossdiff._cli.main import COMMANDS, _usage, cli
from lossdiff._cli.status import Status

from .command import write

TEXTS = (
    "", " ", "x" * 20_000, "9" * 5_000, "a\0b", "\udcff", "\ud800", "a\nb", "\x1b[31m", "-1", "0x1",
    "1e400", "nan", "-inf", str(2**70), "２", "None", "[1]", "a=b", "a/b", "1/0", "4x-1", "4x10x",
    "convention:", "numpy=", "numpy=\0", "=x", "torch=:f", ",", "..", "/",
)  # fmt: skip
_MOST = 700  # characters of a line that says what is wrong
# Places where no file can be read or written, whoever runs the tests.
PLACES = ("", "a\0b", "x" * 5_000, "folder", "file/below", "\ud800", "/proc/none/x")
READS = [
    ("show",), ("report",), ("compare", "file"), ("merge", "-o", "new.sqlite"),
    ("repro", "--no-shrink"),
    ("check", "--dry-run", "--cases"), ("check", "--dry-run", "--expected"),
    ("list", "implementations", "--impl"),
]  # fmt: skip
WRITES = [
    ("check", "-o"), ("check", "--markdown"), ("check", "--junit"), ("bench", "-o"),
    ("merge", "file", "-o"), ("report", "file", "-o"), ("repro", "file", "case", "-o"),
    ("compare", "file", "file", "--markdown"), ("compare", "file", "file", "--junit"),
]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_takes_a_text_or_refuses_it_in_one_line(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = click.Context(command)
    options = [it for it in command.params if it.name != "help" and not _is_flag(it)]
    assert options

    for option in options:
        for text in TEXTS:
            try:
                option.type.convert(text, option, context)
            except click.UsageError as error:
                line = _usage(error)
                assert len(line) < _MOST, (option.name, line[:_MOST])
                assert line.startswith(("unknown ", "--", "-", "there is no file", "'")) or (
                    any(word in line for word in ("is not", "is no", "needs"))
                ), line


def _is_flag(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.is_flag


@pytest.mark.parametrize("place", PLACES, ids=["empty", "nul", "long", "folder", "below a file",
                                               "surrogate", "nowhere"])  # fmt: skip
@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_what_is_no_file_is_refused_in_one_line(
    lossdiff: Any, arguments: tuple[str, ...], place: str
) -> None:
    Path("folder").mkdir()
    write("file", "")
    case = ("case",) if arguments[0] == "repro" else ()
    given = f"numpy={place}" if arguments[-1] == "--impl" else place

    ended = lossdiff(*arguments, given, *case)

    assert ended.status in (Status.USAGE, Status.NOTHING)
    assert len(ended.error) < _MOST
    assert not Path("new.sqlite").exists()


@pytest.mark.parametrize("place", PLACES, ids=["empty", "nul", "long", "folder", "below a file",
                                               "surrogate", "nowhere"])  # fmt: skip
@pytest.mark.parametrize("arguments", WRITES, ids=" ".join)
def test_where_nothing_can_be_written_no_work_is_begun(
    lossdiff: Any, arguments: tuple[str, ...], place: str
) -> None:
    Path("folder").mkdir()
    write("file", "")

    ended = lossdiff(*arguments, place)

    assert ended.status == Status.USAGE
    assert len(ended.error) < _MOST
