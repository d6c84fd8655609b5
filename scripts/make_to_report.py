"""Make docs/to_report/: a script for each known finding without a known public thread.

    lossdiff check --suite full -o full.sqlite
    python scripts/make_to_report.py full.sqlite    # or several runs

The list has the entries of the ledger whose source begins with "to be reported". The simplest
finding of each entry in the run is shrunk; a script that does not show it is not written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from lossdiff.cases.ledger import Entry, ledger
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.verdicts import RELATION
from lossdiff.harness.workers import Limits, share_of_memory

from lossdiff._cli.repro import reproduce
from lossdiff.errors import NothingToShowError

FOLDER = Path(__file__).parents[1] / "docs" / "to_report"
TO_REPORT = "to be reported"
_TRIES = 4  # findings of an entry that are tried, the simplest first
_LIMITS = Limits(20.0, share_of_memory(1))  # of shrinking
HEAD = """\
# To be reported

These are the known findings (`lossdiff list ledger`) for which no public thread was found. Each
script needs NumPy and that framework, shows exact values, bounds and what came back, and can be
pasted into a report. `scripts/make_to_report.py` wrote the scripts from a run of `--suite full`.

| finding | seen with | why | script |
|---|---|---|---|"""
_KINDS = ("native", "recipe", "textbook")


def plainness(row: VerdictRow) -> tuple[object, ...]:
    """Return the sort key: a public function, run eagerly, with few options is the simplest."""
    way = (_KINDS.index(row.kind), row.mode != "eager", len(row.options))
    return (*way, row.dtype != "float32", row.quantity != "value", len(row.shape), row.case)


def written(runs: Sequence[RunFile], entry: Entry) -> VerdictRow | None:
    """Write the script of an entry, and return the finding that it shows."""
    # A violated relation compares two forms of one call, which a script does not show.
    rows = [
        (row, run)
        for run in runs
        for row in run.rows(VerdictRow, "ledger = ?", (entry.id,))
        if not row.verdict.startswith(RELATION)
    ]
    for row, run in sorted(rows, key=lambda pair: plainness(pair[0]))[:_TRIES]:
        try:
            text, problem = reproduce(run, row, (), _LIMITS, shrinks=True, say=print)
        except NothingToShowError as error:
            problem = str(error)
        if not problem:
            (FOLDER / f"{entry.id}.py").write_text(text, encoding="utf-8")
            return row
        print(f"{entry.id}: {problem}")
    return None


def page(runs: Sequence[RunFile]) -> Iterator[str]:
    """Write the scripts, and yield the lines of the page that lists them."""
    yield HEAD
    for entry in ledger():
        if not entry.source.startswith(TO_REPORT):
            continue
        row = written(runs, entry)
        seen = f"`{row.implementation}`, {row.mode}, {row.verdict}" if row else "–"
        link = f"[{entry.id}.py](to_report/{entry.id}.py)" if row else "none: see the ledger"
        yield f"| `{entry.id}` | {seen} | {entry.reason} | {link} |"


def main() -> None:
    """Replace the scripts in the folder, and write the page that lists them."""
    FOLDER.mkdir(exist_ok=True)
    # A script of an entry that has been reported since must not stay.
    for old in FOLDER.glob("*.py"):
        old.unlink()
    with ExitStack() as stack:
        runs = [stack.enter_context(RunFile.open(Path(name))) for name in sys.argv[1:]]
        FOLDER.with_suffix(".md").write_text("\n".join(page(runs)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
