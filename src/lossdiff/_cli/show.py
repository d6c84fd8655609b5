"""The command `lossdiff show`, which prints the verdicts of a run."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..harness.runfile import RunFile, VerdictRow, WordView
from ..harness.verdicts import VerdictKind
from ..outputs import shown
from .names import Name
from .output import InputPath, echo, echo_lines
from .selection import Selection, selecting_options, selection
from .status import Status

if TYPE_CHECKING:
    from ..reports.cause_lines import CauseLine
    from ..reports.listing import Line

_STYLES: dict[str, dict[str, Any]] = {
    "agree": {"fg": "green"},
    "explained": {"fg": "yellow"},
    "finding": {"fg": "red", "bold": True},
    "neutral": {"dim": True},
}
_FINDINGS = [kind for kind in VerdictKind if kind.category == "finding"]


@click.command("show")
@click.argument("path", metavar="RUN.sqlite", type=InputPath())
@selecting_options
@click.option("--all", "everything", is_flag=True, help="List every verdict, one by one.")
@click.option(
    "--format",
    "style",
    default="table",
    show_default=True,
    metavar="table|jsonl",
    type=Name("format", ("table", "jsonl")),
    help="One JSON object a line, or lines for people.",
)
def command(path: Path, style: str, everything: bool, **named: tuple[str, ...]) -> int:
    """Print the verdicts of a run.

    Findings are told by their causes, and other verdicts are counted, unless --verdict, --case
    or --all asks for a list.
    """
    with RunFile.open(path) as run:
        chosen = selection(run, named)
        if style == "jsonl":
            rows = run.rows(VerdictRow, chosen.where, chosen.arguments)
            echo_lines((json.dumps(_plain(row), allow_nan=False), {}) for row in rows)
        elif everything or named["verdicts"] or named["case"]:
            _list(run, chosen, is_whole=everything or bool(named["verdicts"]))
        else:
            _summarise(run, chosen)
    return Status.OK


def _list(run: RunFile, chosen: Selection, *, is_whole: bool) -> None:
    """Print verdicts one by one; questions that are not claimed are counted unless it is whole."""
    from ..reports.listing import count_lines, entry

    width = shutil.get_terminal_size().columns
    listed = chosen if is_whole else chosen.narrowed("verdict <> 'unsupported'")
    rows = run.rows(VerdictRow, listed.where, listed.arguments)
    _write(line for row in rows for line in entry(row, width))
    if not is_whole or not run.count(VerdictRow, listed.where, listed.arguments):
        _write(count_lines(_shares(run, chosen), width))


def _summarise(run: RunFile, chosen: Selection) -> None:
    """Print the causes of findings, users' functions first, and counts of all verdicts."""
    from ..reports.card_lines import card_lines
    from ..reports.cards import cards_of
    from ..reports.listing import count_lines

    width = shutil.get_terminal_size().columns
    shares = _shares(run, chosen)
    _write_causes(run, chosen, width)
    if shares.known + shares.new:
        findings = chosen.narrowed("kind <> 'user'").of_kinds(_FINDINGS)
        rows = run.rows(VerdictRow, findings.where, findings.arguments)
        _write(card_lines(cards_of(rows, run), width))
    _write(count_lines(shares, width))
    if shares.total:
        echo("--verdict NAME, --case ID and --all list verdicts one by one")


def _write_causes(run: RunFile, chosen: Selection, width: int) -> None:
    """Print what is wrong with users' functions, by its cause."""
    from ..reports.cause_lines import cause_lines, claimed_of, places_of
    from ..reports.causes import causes

    own = chosen.narrowed("kind = 'user'")
    # Of a part of the questions nothing follows about what was never asked.
    claimed = {} if chosen.arguments else claimed_of(run)
    found = causes(run.rows(VerdictRow, own.where, own.arguments), claimed)
    if found.tallies:
        _write(cause_lines(found, shown(run.path), width, places_of(run)))
        echo()


def _shares(run: RunFile, chosen: Selection) -> Any:
    from ..reports.tables import shares

    counts = run.counts(WordView, chosen.where, chosen.arguments)
    return shares((row.verdict, row.known or bool(row.shared), number) for row, number in counts)


def _write(lines: Iterable[Line | CauseLine]) -> None:
    echo_lines((line.text, _STYLES[line.group] if line.group else {}) for line in lines)


def _plain(row: VerdictRow) -> dict[str, Any]:
    """Return a row as JSON values. JSON has no infinity: it becomes the text `Infinity`."""
    return {
        name: "Infinity" if isinstance(value, float) and math.isinf(value) else value
        for name, value in asdict(row).items()
    }
