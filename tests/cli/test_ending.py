"""Every exception becomes one line and a status of the table, which the README has too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest

from lossdiff._cli import ending
from lossdiff._cli.ending import finished, status_after
from lossdiff._cli.signals import _Signals
from lossdiff._cli.status import Status
from lossdiff.errors import NothingToShowError, RunFileError, StreamError

THREADS = "no thread can be started: a limit of processes or of memory is reached"
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> _Signals:
    """A process to which nobody has sent anything."""
    fresh = _Signals()
    monkeypatch.setattr(ending, "signals", fresh)
    return fresh


def raising(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (RunFileError("there is no run file a"), Status.USAGE, "there is no run file a"),
        (NothingToShowError("a has no finding"), Status.NOTHING, "a has no finding"),
        (RunFileError("in two\nlines"), Status.USAGE, "in two lines"),
        (KeyboardInterrupt(), Status.INTERRUPTED, "interrupted"),
        (KeyboardInterrupt("kept in a"), Status.INTERRUPTED, "interrupted; kept in a"),
        (OSError(28, "No space left on device", "a"), Status.USAGE, "a: No space left on device"),
        (FileNotFoundError(2, "No such file or directory"), Status.USAGE,
         "the current folder has been removed"),
        (OSError("of no number"), Status.USAGE, "of no number"),
        (MemoryError(), Status.USAGE, "there is not enough memory"),
        (RuntimeError("can't start new thread"), Status.USAGE, THREADS),
        (ImportError("libblas.so: failed to map", name="scipy"), Status.USAGE,
         "cannot import scipy: libblas.so: failed to map"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_a_status(
    error: BaseException, status: Status, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_after(lambda: raising(error)) == status
    assert capsys.readouterr().err == f"lossdiff: {line}\n"


@pytest.mark.parametrize("error", [ValueError("of ours\nin two lines"), SystemExit(0)])
def test_a_defect_is_no_finding_and_says_where_it_is(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_after(lambda: raising(error)) == Status.INTERNAL

    (line,) = capsys.readouterr().err.splitlines()
    kind = type(error).__name__
    assert re.match(
        rf"lossdiff: internal error in lossdiff\._cli\.ending, line \d+: {kind}: ", line
    )
    assert line.endswith("; please report it with the traceback, which LOSSDIFF_TRACEBACK=1 prints")


def test_a_traceback_is_printed_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOSSDIFF_TRACEBACK", "1")

    assert status_after(lambda: raising(ValueError("of ours"))) == Status.INTERNAL

    assert capsys.readouterr().err.startswith("Traceback")


@pytest.mark.parametrize("status", [Status.HANGUP, Status.INTERRUPTED, Status.TERMINATED])
def test_an_error_that_a_signal_has_caused_is_an_interruption(
    signals: _Signals, status: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> NoReturn:
        with pytest.raises(KeyboardInterrupt):
            signals.handle(status - 128)
        raise ImportError("numpy has made this of it")

    assert status_after(work) == status
    assert capsys.readouterr().err == "lossdiff: interrupted; numpy has made this of it\n"


def test_what_ends_a_thread_is_what_ends_the_command(
    signals: _Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    signals.failure = OSError(24, "Too many open files")

    assert status_after(lambda: raising(KeyboardInterrupt())) == Status.USAGE
    assert capsys.readouterr().err == "lossdiff: Too many open files\n"


def test_an_output_that_is_lost_is_said_at_the_end() -> None:
    assert status_after(lambda: raising(StreamError("full"))) == Status.OK


@pytest.mark.parametrize(
    ("status", "due"),
    [
        (Status.OK, Status.USAGE),
        (Status.FINDINGS, Status.USAGE),
        (Status.NOTHING, Status.NOTHING),
        (Status.INTERRUPTED, Status.INTERRUPTED),
        (Status.INTERNAL, Status.INTERNAL),
    ],
)
def test_a_full_output_outweighs_what_it_should_have_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, due: int
) -> None:
    monkeypatch.setattr(ending.streams, "failure_of_output", lambda: "it is closed")

    assert finished(status) == due
    assert capsys.readouterr().err == (
        "lossdiff: standard output cannot be written: it is closed\n" if due == 2 else ""
    )


def test_the_readme_has_the_table_of_statuses() -> None:
    section = README.read_text(encoding="utf-8").split("### Exit status\n")[1].split("\n##")[0]

    numbers = re.findall(r"^\| (\d+) \|", section, re.MULTILINE)
    assert [int(number) for number in numbers] == sorted(Status)
