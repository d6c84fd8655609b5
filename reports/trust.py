"""Say why the page can be trusted, how it was made, and what was not asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..harness.runfile import Omission, RunFile, WorkerRow, omissions
from .tables import Worker, workers

# How the judge itself was judged: `tests/planted` holds the implementations, and
# `tests/reports/test_trust.py` that these are their numbers.
FAULTS, SOUND = 140, 54

_KEPT = ("suite", "seed", "shard", "device", "modes", "operations")
_PLAIN = {"shard": "1/1", "device": "cpu"}  # goes without saying
_MACHINE = ("cpu", "platform")
_SAID = {"python", "cpu", "platform", "cores", "cpus", "device", "devices"}
_NO_SETTING = {"", "–", "null", "false", "default"}


@dataclass(frozen=True)
class RunLine:
    """How one run was made.

    Attributes:
        name: the name of the file.
        command: the command that made it; empty if it is not recorded.
        version: the version of this program.
        started: when it began, in words.
        took: seconds until its end; None if it has not ended.
        facts: what it was asked, as pairs of texts.
    """

    name: str
    command: str
    version: str
    started: str
    took: float | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkerLine:
    """One worker: versions, the machine, and the settings that differ from nothing."""

    framework: str
    device: str
    versions: str
    machine: str
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Trust:
    """What the section of trust shows.

    Attributes:
        faults, sound: the planted faults and the sound implementations that judged the judge.
        runs: how each run was made.
        omissions: what was not asked by any of the runs, with the reason.
        workers: the workers that answered.
    """

    faults: int
    sound: int
    runs: tuple[RunLine, ...]
    omissions: tuple[Omission, ...]
    workers: tuple[WorkerLine, ...]


def trust_of(runs: Sequence[RunFile]) -> Trust:
    """Return what the section of trust shows about some runs."""
    found = [omissions(run) for run in runs]
    judged = [each for each in found if each]
    shared = [it for it in judged[0] if all(it in each for each in judged)] if judged else []
    return Trust(
        FAULTS, SOUND, tuple(map(_run_line, runs)), tuple(shared), tuple(_worker_lines(runs))
    )


def _run_line(run: RunFile) -> RunLine:
    meta = run.meta
    started, took = meta.get("started", ""), None
    if started and meta.get("finished"):
        ends = [datetime.fromisoformat(meta[key]) for key in ("started", "finished")]
        took = (ends[1] - ends[0]).total_seconds()
    facts = [(key, meta[key]) for key in _KEPT if meta.get(key, "") not in ("", _PLAIN.get(key))]
    if meta.get("suite") == "fuzz" and "count" in meta:  # it says nothing of other suites
        facts.append(("count", meta["count"]))
    if own := meta.get("implementations"):
        files = [name for names in json.loads(own).values() for name in names]
        facts.append(("functions of your own", ", ".join(files)))
    return RunLine(
        run.path.name,
        meta.get("command", ""),
        meta.get("version", ""),
        started.replace("T", " ").replace("+00:00", " UTC"),
        took,
        tuple(facts),
    )


def _worker_lines(runs: Sequence[RunFile]) -> Iterable[WorkerLine]:
    names = {
        (row.framework, row.device): row.environment.get("versions")
        for run in runs
        for row in run.rows(WorkerRow, "absent = ''")
    }
    named = {worker: dict(it) for worker, it in names.items() if isinstance(it, dict)}
    everywhere = set().union(*named.values())
    for worker in workers(runs):
        if not worker.absent:
            own = set(named.get((worker.framework, worker.device), {}))
            yield _worker_line(worker, own, everywhere)


def _worker_line(worker: Worker, packages: set[str], everywhere: set[str]) -> WorkerLine:
    facts = dict(worker.facts)
    machine = [facts[key] for key in _MACHINE if facts.get(key)]
    python = [f"Python {facts['python']}"] if facts.get("python") else []
    cores = [f"{facts['cores']} cores"] if facts.get("cores") else []
    return WorkerLine(
        worker.framework,
        worker.device,
        ", ".join(f"{name} {facts[name]}" for name in facts if name in packages),
        ", ".join([*python, *machine, *cores]),
        tuple(
            (key, value)
            for key, value in worker.facts
            if key not in everywhere | _SAID and value not in _NO_SETTING
        ),
    )
