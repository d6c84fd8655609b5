"""The command `lossdiff merge`, which joins several run files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..backends import FRAMEWORKS
from ..harness.engine import Findings, merge
from ..harness.runfile import RunFile
from ..outputs import is_same
from .execution import conclude, opened
from .options import output_option
from .output import InputPath, echo


@click.command("merge")
@click.argument("runs", nargs=-1, required=True, metavar="RUN.sqlite...", type=InputPath())
@output_option(None)
def command(runs: tuple[Path, ...], output: Path | None) -> int:
    """Join runs of shards, frameworks, devices and machines into one."""
    if output is None:
        raise click.UsageError("merge needs -o FILE, where the whole goes")
    return merged(runs, output)


def merged(paths: Sequence[Path], output: Path) -> int:
    """Join runs and print their summary.

    Args:
        paths: the runs to join.
        output: the path of the joined run, which must be none of them.

    Returns:
        The exit status that one run of all parts would have had.

    Raises:
        RunFileError: a run cannot be read, or the runs are no parts of one.
        UsageError: a run is named twice, or the output is one of the runs.
    """
    # Paths are compared after links are resolved: a run must not be read twice, nor overwritten.
    places = [path.resolve() for path in paths]
    for number, path in enumerate(paths):
        if places[number] in places[:number]:
            raise click.UsageError(f"{path} is named twice")
        if is_same(output, path):
            raise click.UsageError(f"-o {output} is one of the runs that are to be joined")
    with opened(output, {}) as run:
        missing = merge(paths, run)
        run.publish()
        for framework, parts in sorted(missing.items()):
            left = ", ".join(map(str, sorted(parts)))
            echo(f"{framework}: shards that are missing still: {left}", err=True)
        findings = Findings(run.meta["device"])
        findings.recall(run)
        return conclude(run, findings, complete="" if missing else _complete(run))


def _complete(run: RunFile) -> str:
    """Return the suite if all frameworks were asked all of it on the CPU, as for the ledger."""
    meta = run.meta
    whole = not meta["modes"] and not meta["operations"] and meta["device"] == "cpu"
    return meta["suite"] if whole and set(meta["frameworks"].split()) == set(FRAMEWORKS) else ""
