"""A stream bears what becomes of its descriptor, and says at the end whether anything is lost."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from rich.console import Console

from lossdiff._cli import streams
from lossdiff._cli.streams import Output, failure_of_output, stop_with_output
from lossdiff.errors import StreamError

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test has closed it


@pytest.fixture
def full() -> Iterator[int]:
    """A descriptor on a disk that is full."""
    descriptor = os.open(FULL, os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def in_(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize("encoding", ["idna", "undefined"])
def test_an_encoding_that_is_none_for_texts_is_replaced(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int], encoding: str
) -> None:
    monkeypatch.setattr(sys, "stdout", Output(pipe[1], in_(encoding)))

    click.echo("a ✓ " + "b" * 70)
    sys.stdout.flush()

    assert os.read(pipe[0], 100) == ("a ✓ " + "b" * 70 + "\n").encode()


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
@pytest.mark.parametrize("how", ["print", "click", "rich"])
def test_a_character_that_the_encoding_lacks_is_an_escape(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int], encoding: str, how: str
) -> None:
    monkeypatch.setattr(sys, "stdout", Output(pipe[1], in_(encoding)))

    {"print": print, "click": click.echo, "rich": Console().print}[how]("a ✓ \udcff")
    sys.stdout.flush()

    text = "a ✓ \\udcff\n" if encoding == "utf-8" else "a \\u2713 \\udcff\n"
    assert os.read(pipe[0], 100) == text.encode()


def test_a_reader_that_has_gone_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    monkeypatch.setattr(sys, "stdout", Output(pipe[1], in_("utf-8")))
    os.close(pipe[0])

    click.echo("x" * 100_000)  # does not raise

    assert failure_of_output() == ""


@needs_full
def test_a_full_disk_is_said_at_the_end(monkeypatch: pytest.MonkeyPatch, full: int) -> None:
    monkeypatch.setattr(sys, "stdout", Output(full, in_("utf-8")))

    click.echo("short")

    assert failure_of_output() == "No space left on device"


@needs_full
def test_what_only_prints_stops_when_nothing_can_be_printed(
    monkeypatch: pytest.MonkeyPatch, full: int
) -> None:
    monkeypatch.setattr(sys, "stdout", Output(full, in_("utf-8")))
    stop_with_output()

    with pytest.raises(StreamError, match="No space left"):
        click.echo("x" * 100_000)

    assert failure_of_output() == "No space left on device"
    sys.stdout.flush()  # the interpreter does so at its end


def test_a_pipe_that_does_not_wait_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    stream = Output(pipe[1], in_("utf-8"))
    read = bytearray()

    def read_slowly() -> None:
        while len(read) < 200_000:
            read.extend(os.read(pipe[0], 10_000))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    stream.write("x" * 200_000)
    stream.flush()
    reader.join()

    assert stream.failure is None


def test_a_stream_takes_no_bytes(pipe: tuple[int, int]) -> None:
    with pytest.raises(TypeError, match="a text is written, not bytes"):
        Output(pipe[1], None).write(b"x")  # type: ignore[arg-type]


def test_the_streams_of_a_test_are_not_looked_at() -> None:
    assert streams.failure_of_output() == ""
