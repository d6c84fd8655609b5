"""Merge runs: of shards, of frameworks, of devices, of machines.

Runs with different questions are not parts of one whole and are refused. A framework that is in two
runs is taken once, if both have the same verdicts on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, starmap, zip_longest
from pathlib import Path
from typing import Any

from ...cases.checked import decoded
from ...errors import RunFileError
from ..causes import ease
from ..relations import RelationTally, compared
from ..runfile import (
    DEFINED,
    AnswerRow,
    CaseView,
    CompletedRow,
    DomainRow,
    ExampleAnswerRow,
    ExampleRow,
    IncidentRow,
    MemoryRow,
    Pair,
    PassRow,
    ProcessRow,
    RelationRow,
    Row,
    RunFile,
    TimingRow,
    ValidityPointRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
    cases_of,
    defined_together,
    matched,
    matched_cases,
)
from ..verdicts import equivalence_of
from .identity import QUESTIONS, difference, digests, users_files, versions_that_differ, written

_TIMED = ("benchmarks", "passes", "label", "commit")
_BATCH = 5000  # rows that are written together
Place = tuple[str, str]  # framework and device
Parts = dict[str, set[int]]  # of each framework


def merge(paths: Sequence[Path], into: RunFile) -> Parts:
    """Write several runs into one.

    Args:
        paths: the run files.
        into: the new run file.

    Returns:
        The shards that are still missing, by framework; empty if the run is whole.

    Raises:
        RunFileError: a run cannot be read, is not complete, or is not part of the same whole.
    """
    with ExitStack() as stack:
        runs = [stack.enter_context(RunFile.open(path)) for path in paths]
        for run in runs:
            _check(runs[0], run)
        mine = _shared_out(runs)
        for run, places in zip(runs, mine, strict=True):
            into.add_given(run.given())
            _copy(run, places, into)
        _add_workers(runs, into)
        _add_relations(runs, mine, into)
        parts, number = _parts(runs), _number(runs[0])
        into.set_meta(**_meta(runs, parts, number))
    everything = set(range(1, number + 1))
    return {name: everything - there for name, there in parts.items() if everything - there}


def _check(first: RunFile, run: RunFile) -> None:
    """Refuse a run that is not part of the same whole, with the reason.

    Raises:
        RunFileError: it has other questions or another number of shards, or is not complete.
    """
    one, other = first.meta, run.meta
    if reason := difference(one, other, QUESTIONS):
        example = _only_in(first, run)
        raise RunFileError(
            f"{run.path} asked other questions than {first.path}: {reason}"
            + (f"; for example {example}" if example else "")
        )
    if _number(first) != _number(run):
        raise RunFileError(
            f"{run.path} is shard {other['shard']}, and {first.path} is shard {one['shard']}: "
            "parts of one whole have the same number of parts"
        )
    if not other.get("finished"):
        raise RunFileError(f"{run.path} is not complete: go on with it first, with --resume")


def _only_in(first: RunFile, run: RunFile) -> str:
    """Return a case that only one of two runs has; empty if there is none."""
    # Both are sorted, so the first place where they differ has a case that only one run has.
    cases = ((row.case for row, _ in it.counts(CaseView)) for it in (first, run))
    pairs = zip_longest(*cases)
    differing = next((pair for pair in pairs if pair[0] != pair[1]), ())
    return min(filter(None, differing), default="")


# --- which frameworks are taken from which run -----------------------------------------------


def _shared_out(runs: Sequence[RunFile]) -> list[set[Place]]:
    """Return the frameworks and devices that are taken from each run."""
    taken: list[set[Place]] = []
    for number, run in enumerate(runs):
        mine = {(row.framework, row.device) for row in run.rows(WorkerRow) if not row.absent}
        for earlier, places in zip(runs[:number], taken, strict=True):
            for place in sorted(mine & places):
                if _is_repeated(earlier, run, place):
                    mine.discard(place)
        taken.append(mine)
    return taken


def _is_repeated(one: RunFile, other: RunFile, place: Place) -> bool:
    """Return whether two runs have the same verdicts on a framework.

    Two shards have no answers in common, and are both taken.

    Raises:
        RunFileError: they have only some of the answers in common, or different verdicts.
    """
    _check_versions(one, other, place)
    # Two runs of the same framework are either disjoint, as shards are, or equal. Anything between
    # would let the order of the runs decide which verdicts are kept.
    is_shared, differing = False, ""
    for key, one_answer, other_answer in _matched(one, other, place):
        words = [sorted(it.words) if it else ["nothing"] for it in (one_answer, other_answer)]
        is_shared = is_shared or (one_answer is not None and other_answer is not None)
        if words[0] != words[1] and not differing:
            said = ", and ".join(" and ".join(found) for found in words)
            differing = f"{key.implementation} ({key.mode}), {key.quantity} of {key.case}: {said}"
        if is_shared and differing:
            raise RunFileError(
                f"{one.path} and {other.path} both asked {place[0]} on {place[1]}, and differ: "
                f"{differing}"
            )
    return is_shared


def _matched(one: RunFile, other: RunFile, place: Place) -> Iterator[Pair]:
    runs = (cases_of(run, "framework = ? AND device = ?", place) for run in (one, other))
    return chain.from_iterable(starmap(matched, matched_cases(*runs)))


def _check_versions(one: RunFile, other: RunFile, place: Place) -> None:
    before, now = (_versions(run, place) for run in (one, other))
    for package, mine, theirs in versions_that_differ(before, now):
        raise RunFileError(
            f"{one.path} has {package} {mine or 'absent'}, and {other.path} has "
            f"{package} {theirs or 'absent'}: compare them, they are no parts of one"
        )


def _versions(run: RunFile, place: Place) -> dict[str, str]:
    rows = run.rows(WorkerRow, "framework = ? AND device = ?", place)
    return next((row.environment.get("versions", {}) for row in rows), {})


# --- what is written -------------------------------------------------------------------------


def _copy(run: RunFile, places: set[Place], into: RunFile) -> None:
    by_framework = {framework for framework, _ in places}
    into_add = _Batches(into)
    for row in run.rows(VerdictRow):
        into_add(row, (row.framework, row.device) in places)
    placed: Any
    for placed in (DomainRow, TimingRow, AnswerRow, IncidentRow, CompletedRow, ValidityPointRow):
        for other in run.rows(placed):
            into_add(other, (other.framework, other.device) in places)
    for worked in run.rows(WorkedRow):
        into_add(worked, worked.framework in by_framework)
    into_add.end()
    # Relations and environments are not copied: the callers merge them over all runs.
    _copy_examples(run, places, into)
    _copy_passes(run, places, into)


def _copy_examples(run: RunFile, places: set[Place], into: RunFile) -> None:
    """Copy the examples of causes; of one cause the plainest, as one run of all would have it.

    Where several runs have the same small input, the answers of all of them are kept.
    """
    for row in run.rows(ExampleRow):
        before = next(into.rows(ExampleRow, "cause = ?", (row.cause,)), None)
        if (row.framework, row.device) not in places:
            continue
        answers = _answers_to(run, row)
        if before:
            is_plainer = _ease_of(run, row) < _ease_of(into, before)
            if (before.case, before.quantity) == (row.case, row.quantity):
                answers |= _answers_to(into, before)
            elif not is_plainer:
                continue
            into.drop(ExampleRow, "cause = ?", (row.cause,))
            into.drop(ExampleAnswerRow, "cause = ?", (row.cause,))
            into.add([row if is_plainer else before])
        else:
            into.add([row])
        into.add(list(answers.values()))


def _answers_to(run: RunFile, example: ExampleRow) -> dict[tuple[str, ...], ExampleAnswerRow]:
    """Return the answers to an example, by who was asked."""
    return {
        (row.framework, row.implementation, row.mode, row.device): row
        for row in run.rows(ExampleAnswerRow, "cause = ?", (example.cause,))
    }


def _ease_of(run: RunFile, example: ExampleRow) -> tuple[object, ...]:
    """Return how easily the finding of an example is read; see `harness.causes`."""
    place = (example.found, example.implementation, example.mode, example.verdict)
    where = '"case" = ? AND implementation = ? AND mode = ? AND verdict = ?'
    return min((ease(row) for row in run.rows(VerdictRow, where, place)), default=())


def _copy_passes(run: RunFile, places: set[Place], into: RunFile) -> None:
    """Copy passes and processes; the processes are renumbered after those of earlier runs."""
    before = max((row.number for row in into.rows(ProcessRow)), default=0)
    into.add(
        [
            replace(row, number=row.number + before)
            for row in run.rows(ProcessRow)
            if (row.framework, row.device) in places
        ]
    )
    into_add = _Batches(into)
    for row in run.rows(PassRow):
        moved = replace(row, process=row.process + before)
        into_add(moved, (row.framework, row.device) in places)
    into_add.end()
    into.add([row for row in run.rows(MemoryRow) if (row.framework, row.device) in places])


class _Batches:
    """A writer of rows in batches: one transaction for each row would be slow."""

    def __init__(self, into: RunFile) -> None:
        self._into, self._rows = into, list[Row]()

    def __call__(self, row: Row, taken: bool) -> None:
        self._rows += [row] if taken else []
        if len(self._rows) >= _BATCH:
            self.end()

    def end(self) -> None:
        self._into.add(self._rows)
        self._rows = []


def _add_workers(runs: Sequence[RunFile], into: RunFile) -> None:
    rows = [row for run in runs for row in run.rows(WorkerRow)]
    # A framework that one run had is not absent from the whole.
    present = {(row.framework, row.device) for row in rows if not row.absent}
    kept: list[WorkerRow] = []
    for row in rows:
        if row not in kept and not (row.absent and (row.framework, row.device) in present):
            kept.append(row)
    into.add(kept)


def _add_relations(runs: Sequence[RunFile], mine: Sequence[set[Place]], into: RunFile) -> None:
    """Add up relations over all runs, and compare routes whose answers are in different runs."""
    tally = RelationTally()
    for run, places in zip(runs, mine, strict=True):
        tally.add(
            row
            for row in run.rows(RelationRow)
            if not equivalence_of(row.relation) and (row.framework, row.device) in places
        )
    into.add([*tally.rows(), *compared(lambda: into.rows(AnswerRow))])


def _number(run: RunFile) -> int:
    return int(run.meta.get("shard", "1/1").rpartition("/")[2])


def _parts(runs: Iterable[RunFile]) -> Parts:
    """Return the shards that each framework has."""
    parts: Parts = {}
    for run in runs:
        meta = run.meta
        own = {int(part) for part in meta.get("shard", "1/1").partition("/")[0].split("+")}
        known = decoded(meta.get("parts") or "{}", dict[str, list[int]])
        for row in run.rows(WorkerRow):
            if not row.absent:
                there = set(known.get(row.framework, own))
                parts.setdefault(row.framework, set()).update(there)
    return parts


def _meta(runs: Sequence[RunFile], parts: Parts, number: int) -> dict[str, str]:
    metas = [run.meta for run in runs]
    complete = all(len(there) == number for there in parts.values())
    every = "+".join(map(str, sorted(set().union(*parts.values())))) if parts else "1"
    extra: dict[str, tuple[str, ...]] = {}
    for meta in metas:
        for framework, places in users_files(meta).items():
            extra[framework] = tuple(dict.fromkeys((*extra.get(framework, ()), *places)))
    claimed = [json.loads(meta.get("claimed") or "{}") for meta in metas]
    functions = {meta.get("functions", "") for meta in metas}
    # Of the settings of timing only those are kept that all runs have in common. If one run was not
    # timed to its end, the whole was not either.
    timed = {
        key: metas[0][key]
        for key in _TIMED
        if len({it.get(key) for it in metas}) == 1 and key in metas[0]
    }
    ends = [meta["timed"] for meta in metas if "timed" in meta]
    return {
        **timed,
        **({"timed": max(ends) if all(ends) else ""} if ends else {}),
        **{key: metas[0].get(key, "") for key in QUESTIONS},
        "claimed": json.dumps({name: it for one in claimed for name, it in one.items()}),
        "started": min(meta["started"] for meta in metas),
        "finished": max(meta["finished"] for meta in metas),
        "shard": "1/1" if complete else f"{every}/{number}",
        "parts": "" if complete else json.dumps({name: sorted(it) for name, it in parts.items()}),
        "frameworks": " ".join(sorted(_words(metas, "frameworks"))),
        "modes": " ".join(sorted(_words(metas, "modes"))),
        "device": " ".join(sorted(_words(metas, "device"))),
        "implementations": written(extra),
        DEFINED: defined_together(metas),
        "digests": written({key: it for meta in metas for key, it in digests(meta).items()}),
        "functions": next(iter(functions)) if len(functions) == 1 else "",
        "joined": "\n".join(meta.get("joined") or meta["command"] for meta in metas),
    }


def _words(metas: Iterable[Mapping[str, str]], key: str) -> Iterator[str]:
    yield from {word for meta in metas for word in meta.get(key, "").split()}
