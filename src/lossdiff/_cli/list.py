"""The command `lossdiff list`, which prints operations, implementations, cases or the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..cases.ledger import ledger
from ..cases.operations import OPERATIONS
from ..cases.suites import SUITES, selected, suite
from ..harness.engine import Plan, catalogues
from ..harness.own import NAMES, PARAMETERS
from .names import Name
from .options import plan_of, selection_options
from .output import console, echo
from .own_functions import met
from .status import Status


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
    shown = console()
    if what == "cases":
        for case in selected(suite(suite_name), operations).cases:
            echo(case.id)
    elif what == "operations":
        shown.print(operations_table())
    elif what == "names":
        shown.print(names_table())
        shown.print()
        shown.print(parameters_table())
    elif what == "ledger":
        print_ledger()
    else:
        plan, _ = met(plan_of(selected(suite(suite_name), operations), **selection))
        return Status.OK if print_implementations(plan, operations, shown) else Status.NOTHING
    return Status.OK


def operations_table() -> Table:
    """Return a table of the operations with their arguments, targets and options."""
    table = Table("operation", "first argument", "targets", "options", box=None)
    for operation in OPERATIONS.values():
        table.add_row(
            operation.name,
            operation.domain,
            ", ".join(operation.targets),
            ", ".join(operation.options),
        )
    return table


def names_table() -> Table:
    """Return a table of the names by which functions are taken for an operation."""
    table = Table("name of a function", "operation", "targets", box=None)
    for name, meaning in NAMES.items():
        table.add_row(name, meaning.operation, ", ".join(meaning.targets))
    return table


def parameters_table() -> Table:
    """Return a table of the names by which parameters are known."""
    table = Table("argument or option", "names of its parameter", box=None)
    for argument, names in PARAMETERS.items():
        table.add_row(argument, ", ".join(names))
    return table


def print_ledger() -> None:
    """Print the known findings, four lines each and unwrapped, so that they can be searched."""
    for entry in ledger():
        echo(f"{entry.id}: {', '.join(entry.verdicts)}")
        echo(f"    {', '.join(entry.implementations)}")
        echo(f"    {entry.reason}")
        echo(f"    {entry.source}")


def print_implementations(plan: Plan, operations: Sequence[str], console: Console) -> bool:
    """Print the implementations of the frameworks of a plan.

    Args:
        plan: names the frameworks and the user's own implementations.
        operations: the operations to print; empty for all.
        console: the console that the table is printed on.

    Returns:
        Whether at least one of the frameworks could be started.
    """
    offered, absent = catalogues(plan)
    table = Table("implementation", "operation", "kind", "targets", "options", box=None)
    for catalogue in offered.values():
        for claim in catalogue.claims:
            if not operations or claim.operation in operations:
                table.add_row(
                    claim.name,
                    claim.operation,
                    claim.kind,
                    ", ".join(sorted(claim.targets)),
                    ", ".join(sorted(claim.options)),
                )
    console.print(table)
    for framework, reason in absent.items():
        echo(f"{framework}: {reason}", err=True)
    return bool(offered)
