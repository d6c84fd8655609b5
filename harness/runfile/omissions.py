"""Say what a run did not ask, and why: frameworks, modes, devices, dtypes, operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...backends import AS_WRITTEN, FRAMEWORKS
from ...cases.operations import BUILT_IN, DTYPES
from .file import RunFile
from .rows import WorkerRow
from .views import WayView

_GPU = "gpu"


@dataclass(frozen=True)
class Omission:
    """Something that a run did not ask, or not all of.

    Attributes:
        what: what was not asked.
        why: the reason.
    """

    what: str
    why: str


def omissions(run: RunFile) -> list[Omission]:
    """Return what a run did not ask, the largest gaps first.

    Args:
        run: a run of `check`; one without verdicts was asked nothing, and has no gaps.
    """
    asked = _asked(run)
    if not asked:
        return []
    return [*_unfinished(run), *_absent(run), *_frameworks(run, asked), *_rest(run, asked)]


def _asked(run: RunFile) -> dict[WayView, int]:
    # Verdicts of calls that are not claimed say nothing about what was run.
    claimed = "verdict != 'unsupported'"
    return {way: count for way, count in run.counts(WayView, claimed) if way.mode}


def _unfinished(run: RunFile) -> Iterator[Omission]:
    meta = run.meta
    if "finished" in meta and not meta["finished"]:
        yield Omission("what is left of the run", "it was interrupted; --resume goes on with it")
    if meta.get("shard", "1/1") != "1/1":
        yield Omission("the other shards", f"this is part {meta['shard']} of a run")


def _absent(run: RunFile) -> Iterator[Omission]:
    for row in run.rows(WorkerRow, "absent != ''"):
        yield Omission(f"{row.framework} on {row.device}", row.absent)


def _frameworks(run: RunFile, asked: Mapping[WayView, int]) -> Iterator[Omission]:
    meta = run.meta
    if "frameworks" not in meta:  # it was no command that could have asked others
        return
    absent = {row.framework for row in run.rows(WorkerRow, "absent != ''")}
    names = {way.framework for way in asked}
    own = "with --impl only that function is asked; --all asks everything"
    for name in FRAMEWORKS:
        if name not in names | absent:
            yield Omission(name, own if meta.get("implementations") else "--backend named others")
    for name in [name for name in FRAMEWORKS if name in names]:
        here = {way.mode for way in asked if way.framework == name}
        for mode in FRAMEWORKS[name].modes:
            if mode.name not in here:
                is_left = mode.is_slow and meta.get("suite") != "full"
                slow = "each compilation takes seconds, so only --suite full asks it by itself"
                named = "--mode named others, or no case is for it"
                if mode.is_interpreter:
                    named = "kernels are interpreted only where --mode interpret is given"
                yield Omission(f"{name}, {mode.name}", slow if is_left else named)
            for dtype, why in mode.lacks.items() if mode.name in here else ():
                yield Omission(f"{dtype} in {name}, {mode.name}", why)


def _rest(run: RunFile, asked: Mapping[WayView, int]) -> Iterator[Omission]:
    if _GPU not in run.meta.get("device", "cpu"):
        yield Omission("any GPU", "--device gpu was not given")
    for name, missing, why in (
        ("dtypes", set(DTYPES) - {way.dtype for way in asked}, "no case has them"),
        (
            "operations",
            set(BUILT_IN) - {way.operation for way in asked},
            "--operation named others, or nothing claims them",
        ),
    ):
        if missing:
            yield Omission(f"the {name} {', '.join(sorted(missing))}", why)
    compiled = {way.mode for way in asked} - {*AS_WRITTEN}
    cases = run.asked_cases()
    for mode in sorted(compiled):
        count = run.asked_cases("mode = ? AND verdict != 'unsupported'", (mode,))
        if count < cases:
            yield Omission(
                f"{cases - count:,} of {cases:,} cases in the mode {mode}",
                "what compiles is asked everyday cases, because each signature takes a compilation",
            )
    if run.meta.get("suite") == "quick":
        yield Omission(
            "most cases of the suite full",
            "quick combines every two levels of any two factors, full every three of any three",
        )
