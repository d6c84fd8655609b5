"""Make docs/porting.md: how to call each operation, with its options, in each library.

    lossdiff check -o quick.sqlite
    python scripts/make_porting.py quick.sqlite    # or several runs

The page has the tables and the code of the section "Porting" of a report.
`tests/docs/test_porting.py` executes its code and judges it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from lossdiff.harness.runfile import RunFile, WorkerRow
from lossdiff.reports.compared import compared
from lossdiff.reports.porting import Cell, Code, Porting, PortingLine, PortingTable

PAGE = Path(__file__).parents[1] / "docs" / "porting.md"
HEAD = """\
# Porting

How to call each operation, with its options, in each library. Each line of a table is a set of
options; each cell names the function that comes closest to the [contract](contract.md), one that
the library ships before a recipe, and says how many of its values and gradients were right in one
run, over ordinary inputs with exactly these options, in every dtype and reduction. What was not
right is named by its [verdict](verdicts.md). The code of every function follows below the tables:
each block is a module of its own, to copy. Classes are on axis 1, as in PyTorch and ONNX.

PyTorch's `CrossEntropyLoss(weight, ignore_index, label_smoothing)` in JAX with Optax, in TensorFlow
with Keras, or in NumPy: see the line of these three options in the first table.

`scripts/make_porting.py` makes this page from a run of `lossdiff check`, and a test executes each
block and judges what it gives."""


def page(runs: Sequence[RunFile]) -> Iterator[str]:
    """Yield the lines of the page."""
    found = compared(runs).porting
    yield HEAD
    yield ""
    yield f"Made with {', '.join(_versions(runs))}."
    for table in found.tables:
        yield from _table(table, found)
    yield "\n## The code"
    for code in found.codes:
        yield from _block(code)


def _versions(runs: Sequence[RunFile]) -> list[str]:
    versions = {
        name: version
        for run in runs
        for row in run.rows(WorkerRow, "absent = ''")
        for name, version in row.environment.get("versions", {}).items()
    }
    return [f"{name} {versions[name]}" for name in sorted(versions)]


def _table(table: PortingTable, found: Porting) -> Iterator[str]:
    # A library without any function for an operation has no column.
    shown = [it for it in found.libraries if any(it in line.cells for line in table.lines)]
    target = f", {table.target_kind.replace('_', '-')} target" if table.target_kind else ""
    yield f"\n## `{table.operation}`{target}\n"
    yield f"| options | {' | '.join(shown)} |"
    yield f"|---|{'---|' * len(shown)}"
    for line in table.lines:
        options = ", ".join(f"`{option}`" for option in line.options) or "none"
        cells = [
            _cell(line.cells[it]) if it in line.cells else _none(line, found.libraries[it])
            for it in shown
        ]
        yield f"| {options} | {' | '.join(cells)} |"
    if missing := [it for it in found.libraries if it not in shown]:
        yield f"\n{', '.join(missing)}: there is none."


def _none(line: PortingLine, framework: str) -> str:
    other = line.instead(framework)
    return f"there is none; take {_link(other)}" if other else "there is none"


def _link(cell: Cell) -> str:
    return f"[`{cell.member.name}`](#{anchor(cell.member.name)})"


def _cell(cell: Cell) -> str:
    link = _link(cell)
    if not cell.value.asked:
        return f"{link}: not asked"
    gradient = f"gradient {cell.gradient}" if cell.gradient.asked else "no gradient was judged"
    return f"{link}: value {cell.value}; {gradient}"


def anchor(name: str) -> str:
    """Return the anchor that the heading of a function has, on the site and on GitHub.

    >>> anchor("keras.losses.BinaryCrossentropy(from_logits=False)")
    'keraslossesbinarycrossentropyfrom_logitsfalse'
    """
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "_-")


def _block(code: Code) -> Iterator[str]:
    yield f"\n### `{code.name}`\n"
    kind = "a recipe" if code.kind == "recipe" else "shipped"
    yield f"{code.framework}, {kind}; for {', '.join(code.uses)}.\n"
    yield f"```python\n{code.text}\n```"


if __name__ == "__main__":
    with ExitStack() as stack:
        opened = [stack.enter_context(RunFile.open(Path(name))) for name in sys.argv[1:]]
        PAGE.write_text("\n".join(page(opened)) + "\n", encoding="utf-8")
