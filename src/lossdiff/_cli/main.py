"""The group of commands, which imports a command when it is run.

`status` defines the exit statuses, and `ending` how an exception becomes one of them.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from ..collection import paused
from .ending import say, status_after
from .names import OwnType, unknown
from .signals import signals
from .status import Status
from .streams import stop_with_output

# Each command is the function `command` in the file of its name. The first line of its help is
# repeated here, because most commands import NumPy, which `--help` does not need.
COMMANDS = {
    "bench": "Judge and time every framework; the JSON of pytest-benchmark is kept beside the run.",
    "check": "Ask every framework the same questions, and judge the answers.",
    "compare": "Compare runs, the oldest first: answers, coverage, times.",
    "list": "Print what there is, one a line.",
    "merge": "Join runs of shards, frameworks, devices and machines into one.",
    "report": "Write what runs have found; a page is one file that opens without a network.",
    "repro": "Print a script that shows a finding with NumPy and that framework alone.",
    "show": "Print the verdicts of a run.",
}
_ONLY_PRINT = ("list", "show")


class LazyGroup(click.Group):
    """A group that imports a command when it is run, and lists all of them without an import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in _ONLY_PRINT:
            stop_with_output()
        # An import that is broken off fails in ways of its own.
        with signals.deferred(), paused():
            found: click.Command = import_module(f".{cmd_name}", __package__).command
        gc.freeze()  # what is imported stays; no collection has to go through it
        return found

    def invoke(self, ctx: click.Context) -> Any:
        # click would print a line of its own for an interrupt, and end with 1 for a closed pipe.
        return status_after(
            lambda: super(LazyGroup, self).invoke(ctx), click.ClickException, click.exceptions.Exit
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        limit = formatter.width - 6 - max(map(len, COMMANDS))  # click's own limit
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, click.Command(name, help=text).get_short_help_str(limit))
                    for name, text in COMMANDS.items()
                ]
            )


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lossdiff", prog_name="lossdiff")
def cli() -> None:
    """Softmax, cross-entropy and their relatives: four frameworks, one exact answer."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; print an error as one line on standard error.

    Args:
        arguments: the command and its arguments; None for those of the process.

    Returns:
        The exit status.
    """
    return status_after(lambda: _called(arguments))


def _called(arguments: Sequence[str] | None) -> int:
    try:
        return int(cli.main(arguments, prog_name="lossdiff", standalone_mode=False) or Status.OK)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.UsageError as error:
        say(_usage(error))
    except click.ClickException as error:
        say(error.format_message())
    except SystemExit as error:  # click has answered a shell that completes a command
        return int(error.code or Status.OK)
    return Status.USAGE


def _usage(error: click.UsageError) -> str:
    """Return the message of a usage error, with similar names for an unknown one."""
    # The parameter's name, which click puts in front, only repeats what our messages contain.
    message, context = error.format_message(), error.ctx
    if isinstance(error, click.BadParameter) and error.param is not None:
        ours = isinstance(error.param.type, OwnType)
        message = error.message if ours and error.message else message
    if isinstance(error, click.NoSuchOption) and error.option_name and context is not None:
        options = [name for param in context.command.params for name in param.opts]
        return unknown("option", error.option_name, options)
    if message.startswith("No such command") and context is not None:
        name = message.split("'")[1]
        return unknown("command", name, COMMANDS)
    return message.removesuffix(".")
