"""The command `lossdiff list`, which prints operations, implementations, cases or the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..cases.ledger import ledger
from ..cases.operations import OPERATIONS
from ..cases.suites import SUITES, selected, suite
from ..harness.engine import Plan, catalogues
from ..harness.own import NAMES, PARAMETERS
from ..reports.grid import Cell, Grid
from .names import Name
from .options import plan_of, selection_options
from .output import echo, lines_of_words, width
from .own_functions import met
from .status import Status

Row = tuple[str, ...]


@click.command("list")
@click.argument(
    "what",
    metavar="operations|names|implementations|cases|ledger",
    type=Name("list", ("operations", "names", "implementations", "cases", "ledger")),
)
@click.option(
    "--suite",
    "suite_name",
    default="quick",
    show_default=True,
    metavar="NAME",
    type=Name("suite", SUITES),
    help="Whose cases.",
)
@selection_options
def command(what: str, suite_name: str, operations: tuple[str, ...], **selection: Any) -> int:
    """Print what there is, one a line."""
    columns = width()
    if what == "cases":
        for case in selected(suite(suite_name), operations).cases:
            echo(case.id)
    elif what == "operations":
        print_table(operations_table(), columns)
    elif what == "names":
        print_table(names_table(), columns)
        echo()
        print_table(parameters_table(), columns)
    elif what == "ledger":
        print_ledger(columns)
    else:
        plan, _ = met(plan_of(selected(suite(suite_name), operations), **selection))
        return Status.OK if print_implementations(plan, operations, columns) else Status.NOTHING
    return Status.OK


def operations_table() -> list[Row]:
    """Return the operations with their arguments, targets and options, after a line of headings."""
    rows = [
        (it.name, it.domain, ", ".join(it.targets), ", ".join(it.options))
        for it in OPERATIONS.values()
    ]
    return [("operation", "first argument", "targets", "options"), *rows]


def names_table() -> list[Row]:
    """Return the names by which functions are taken for an operation."""
    rows = [(name, it.operation, ", ".join(it.targets)) for name, it in NAMES.items()]
    return [("name of a function", "operation", "targets"), *rows]


def parameters_table() -> list[Row]:
    """Return the names by which parameters are known."""
    rows = [(argument, ", ".join(names)) for argument, names in PARAMETERS.items()]
    return [("argument or option", "names of its parameter"), *rows]


def print_table(rows: Sequence[Row], width: int) -> None:
    """Print a table whose names are never cut.

    Args:
        rows: the headings, then the rows.
        width: columns of the terminal; see `reports.grid`.
    """
    head, *rest = rows
    for spans in Grid(head, [list(map(Cell, row)) for row in rest]).lines(width):
        echo("".join(it.text for it in spans))


def print_ledger(width: int) -> None:
    """Print the known findings: verdicts, implementations, reason and source; no name is cut.

    Args:
        width: columns of the terminal.
    """
    for entry in ledger():
        echo(f"{entry.id}: {', '.join(entry.verdicts)}")
        for text in (", ".join(entry.implementations), entry.reason, entry.source):
            for line in lines_of_words(text, width, "    "):
                echo(line)


def print_implementations(plan: Plan, operations: Sequence[str], width: int) -> bool:
    """Print the implementations of the frameworks of a plan.

    Args:
        plan: names the frameworks and the user's own implementations.
        operations: the operations to print; empty for all.
        width: columns of the terminal.

    Returns:
        Whether at least one of the frameworks could be started.
    """
    offered, absent = catalogues(plan)
    rows = [
        (
            claim.name,
            claim.operation,
            claim.kind,
            ", ".join(sorted(claim.targets)),
            ", ".join(sorted(claim.options)),
        )
        for catalogue in offered.values()
        for claim in catalogue.claims
        if not operations or claim.operation in operations
    ]
    print_table([("implementation", "operation", "kind", "targets", "options"), *rows], width)
    for framework, reason in absent.items():
        echo(f"{framework}: {reason}", err=True)
    return bool(offered)
