"""Write the trends of benchmarks over many runs as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from ..harness.comparing import History, Trend
from .comparison_markdown import share, table
from .numbers import counted, seconds


def history_table(found: History) -> str:
    """Return a table with one line for each benchmark, those with a change point first."""
    names = found.names
    # A change point often coincides with a new version, so the versions of each run come first.
    frameworks = sorted({name for side in found.sides for name in side.versions})
    versions = [[name, *(side.version_of(name) for side in found.sides)] for name in frameworks]
    ordered = sorted(found.courses, key=lambda it: it.step is None)
    rows = [
        [
            f"{it.key.implementation} {it.key.mode}",
            f"`{it.key.case.partition('/')[0]}` {it.key.label}",
            *map(seconds, it.medians),
            _step(it, names),
        ]
        for it in ordered
    ]
    stepped = sum(it.step is not None for it in found.courses)
    title = f"## lossdiff: {counted(len(found.courses), 'benchmark')} over {len(names)} runs, "
    return (
        "\n\n".join(
            [
                f"{title}{counted(stepped, 'step')}",
                table(["", *names], versions),
                table(["implementation", "benchmark", *names, "step"], rows),
            ]
        )
        + "\n"
    )


def _step(course: Trend, names: Sequence[str]) -> str:
    if course.step is None:
        return ""
    return f"**{course.verdict}** at {names[course.step]}: {share(course.changes[course.step])}"
