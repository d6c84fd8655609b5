"""What is printed holds no commands for a terminal, wherever its text comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.table import Table

from lossdiff._cli.output import PlainConsole, console, echo, note
from lossdiff._cli.progress import RunProgress
from lossdiff.printing import printable

CLI = Path(__file__).parents[2] / "src" / "lossdiff" / "_cli"
HOSTILE = "a\x1b[2J\x1b]0;t\x9b31m\u202e\x7f[/red]:smile:"
HARMLESS = r"a\x1b[2J\x1b]0;t\x9b31m\u202e\x7f[/red]:smile:"
_STYLE = re.compile(r"\x1b\[[\d;]*m")  # colours, which rich puts around what is printed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ünïcode → ✓", "plain ünïcode → ✓"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\r\x00\x08", r"\r\x00\x08"),
        ("\udcff\ud800", r"\udcff\ud800"),
        ("\u2028\u2066", r"\u2028\u2066"),
        (HOSTILE, HARMLESS),
    ],
)
def test_all_but_line_ends_and_tabs_is_visible(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_line_is_stripped(capsys: pytest.CaptureFixture[str]) -> None:
    echo(HOSTILE)
    note(HOSTILE)

    assert capsys.readouterr() == (f"{HARMLESS}\n", f"{HARMLESS}\n")


def test_a_console_prints_texts_as_texts(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("name", "text")
    table.add_row("", HOSTILE)
    for item in (HOSTILE, table):
        console().print(item, soft_wrap=True)

    out = capsys.readouterr().out
    assert out.startswith(f"{HARMLESS}\n")
    assert f" {HARMLESS} │" in out
    assert not set(out) & set("\x1b\x9b\u202e\x7f")


def test_a_terminal_gets_the_colours_of_the_console_and_no_other_commands() -> None:
    terminal = PlainConsole(width=200)
    terminal._force_terminal = True
    terminal._color_system = ColorSystem.STANDARD
    with terminal.capture() as captured:
        terminal.print(HOSTILE, style="red", soft_wrap=True, highlight=False)

    assert "\x1b[31m" in captured.get()
    assert _STYLE.sub("", captured.get()) == f"{HARMLESS}\n"


def test_progress_is_stripped(capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(PlainConsole(stderr=True)) as progress:
        progress("numpy", HOSTILE, 1, 2)

    assert f"{HARMLESS} 1/2" in capsys.readouterr().err


def test_bars_are_stripped() -> None:
    terminal = PlainConsole(width=200)
    progress = RunProgress(terminal)
    progress._bar("numpy", printable(HOSTILE), 1, 2)
    with terminal.capture() as captured:
        terminal.print(progress._bars.get_renderable())

    assert HARMLESS in captured.get()
    assert not set(captured.get()) & set("\x1b\x9b\u202e\x7f")


def test_everything_is_printed_in_one_place() -> None:
    """`output` prints; the other two are what click says of itself, and the line of the end."""
    printing = re.compile(r"\bclick\.s?echo\(|\bprint\(|(?<!Plain)\bConsole\(")
    users = {
        path.name
        for path in CLI.glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if printing.search(line) and ".print(" not in line and "class " not in line
    }

    assert users == {"output.py", "main.py", "ending.py"}
