"""The options of `check` that write its result for other programs, and the writing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..harness.runfile import RunFile
from ..outputs import Kind, check_apart, check_output, write_output
from .output import OutputPath

C = TypeVar("C", bound=Callable[..., Any])


def summary_options(command: C) -> C:
    """Add `--markdown` and `--junit`.

    Args:
        command: the function of a click command.
    """
    for option in (
        click.option("--junit", "junit_file", default=None, metavar="FILE", type=OutputPath(),
                     help="Write the result for a CI server."),
        click.option("--markdown", "text_file", default=None, metavar="FILE", type=OutputPath(),
                     help="Write the result for the page of a job."),
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class Summaries:
    """The files that say what a run has found.

    Attributes:
        markdown: a file in Markdown; None for none.
        junit: a file in JUnit XML; None for none.
    """

    markdown: Path | None = None
    junit: Path | None = None

    def check(self, run: Path, inputs: Sequence[Path] = ()) -> None:
        """Refuse what must not or cannot be written, before a long run begins.

        Args:
            run: the path of the run file.
            inputs: the files that the command reads.

        Raises:
            OutputError: two outputs are one file, or one must not or cannot be written.
        """
        named = {Kind.MARKDOWN: self.markdown, Kind.JUNIT: self.junit}
        files = {kind: file for kind, file in named.items() if file is not None}
        check_apart([run, *files.values()], inputs)
        for kind, file in files.items():
            check_output(file, kind)

    def write(self, run: RunFile, remarks: Sequence[str]) -> None:
        """Write them.

        Args:
            run: the finished run.
            remarks: what is wrong with the run as a whole.

        Raises:
            OutputError: a file cannot be written.
        """
        if self.markdown is None and self.junit is None:
            return
        from ..reports.check_junit import write_junit
        from ..reports.check_markdown import markdown
        from ..reports.outcome import outcome_of

        outcome = outcome_of(run, remarks)
        if self.markdown:
            write_output(self.markdown, Kind.MARKDOWN, markdown(outcome))
        if self.junit:
            write_junit(outcome, self.junit)


NONE = Summaries()
