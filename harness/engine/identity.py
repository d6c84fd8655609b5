"""Identify the questions of a run, so that only a run of the same ones is resumed or merged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from ...cases.checked import decoded
from ...cases.suites import Suite
from ...errors import RunFileError
from ..own import place_of
from ..runfile import DEFINED, RunFile, WorkerRow, written_operations
from .plan import Plan

# Entries of `meta`, and their names on the command line. `QUESTIONS` must be equal for runs to be
# merged, and all of `ASKED` for a run to be resumed.
QUESTIONS = {
    "version": "lossdiff",
    "suite": "--suite",
    "seed": "--seed",
    "count": "--count",
    "operations": "--operation",
    "cases": "--cases",
    "questions": "cases",
}
ASKED = {
    **QUESTIONS,
    "shard": "--shard",
    "frameworks": "--backend",
    "modes": "--mode",
    "device": "--device",
    "implementations": "--impl",
    "functions": "functions of --impl",
}


def identity(plan: Plan, whole: Suite, *, seed: int = 0, count: int = 0) -> dict[str, str]:
    """Return the entries of `meta` that identify questions and implementations.

    Args:
        plan: the plan of the run, or of its shard.
        whole: the suite before it was sharded.
        seed: seed of the suite.
        count: number of random cases of the suite.
    """
    given = [case.id for case in whole.cases if case.given is not None and "file:" in case.id]
    return {
        "version": metadata.version("lossdiff"),
        "suite": whole.name,
        "seed": str(seed),
        "count": str(count),
        "operations": " ".join(whole.operations),
        "cases": " ".join(given),
        "questions": _digest(case.id for case in whole.cases),
        "shard": "/".join(map(str, plan.shard)),
        "frameworks": " ".join(sorted(plan.frameworks)),
        "modes": " ".join(plan.modes),
        "device": plan.device,
        "implementations": written(plan.extra),
        DEFINED: written_operations(),
        "functions": _digest(
            file.read_text(encoding="utf-8", errors="replace") for file in _files(plan)
        ),
        "digests": written(
            {str(file): sha256(file.read_bytes()).hexdigest() for file in _files(plan)}
        ),
    }


def _files(plan: Plan) -> list[Path]:
    """Return the users' files of a plan, each once."""
    places = [place_of(text) for texts in plan.extra.values() for text in texts]
    return list(dict.fromkeys(place.file for place in places if place.file is not None))


def written(files: Mapping[str, Sequence[str] | str]) -> str:
    """Return an entry of `meta` about the user's own files: empty where there are none.

    >>> written({"numpy": ["mine.py"]}), written({})
    ('{"numpy": ["mine.py"]}', '')
    """
    return json.dumps(files) if files else ""


def users_files(meta: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the files or modules of the user's own implementations, by framework.

    Args:
        meta: the entries of a run file. Earlier versions wrote `{}`, or no entry, for no file.

    >>> users_files({"implementations": '{"numpy": ["mine.py"]}'})
    {'numpy': ('mine.py',)}
    """
    found = decoded(meta.get("implementations") or "{}", dict[str, tuple[str, ...]])
    return dict(found)


def digests(meta: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of each of the user's own files, as they were when the run was made.

    Args:
        meta: the entries of a run file. Earlier versions wrote no such entry.
    """
    return decoded(meta.get("digests") or "{}", dict[str, str])


def difference(before: Mapping[str, str], now: Mapping[str, str], among: Mapping[str, str]) -> str:
    """Return the first entry in which two runs differ, in words; empty if there is none.

    Args:
        before: `meta` of the earlier run.
        now: `meta` of the later run.
        among: the entries that are compared, with their names on the command line.

    >>> difference({"seed": "0"}, {"seed": "1"}, {"seed": "--seed"})
    '--seed 0, not 1'
    """
    for key, name in among.items():
        old, new = before.get(key, ""), now.get(key, "")
        if old != new:
            if key in ("questions", "functions"):
                return f"{name} that differ"
            return f"{name} {old or '(none)'}, not {new or '(none)'}"
    return ""


def versions_that_differ(
    before: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the packages that have other versions, with both; None for a package that is absent.

    >>> list(versions_that_differ({"jax": "0.9", "optax": "0.2"}, {"jax": "0.10", "optax": "0.2"}))
    [('jax', '0.9', '0.10')]
    """
    for package in sorted(before.keys() | now.keys()):
        if before.get(package) != now.get(package):
            yield package, before.get(package), now.get(package)


def refuse_other_versions(run: RunFile, old: WorkerRow, new: WorkerRow) -> None:
    """Refuse to go on with a run in an environment of other versions.

    Raises:
        RunFileError: the versions of a package differ.
    """
    before, now = (row.environment.get("versions", {}) for row in (old, new))
    for package, was, here in versions_that_differ(before, now):
        raise RunFileError(
            f"{run.path} was begun with {package} {was or 'absent'}; here is {here or 'none'}: "
            "begin a new run, or go back to that version"
        )


def _digest(texts: Iterable[str]) -> str:
    digest, between = sha256(), ""
    for text in texts:
        digest.update((between + text).encode(errors="backslashreplace"))
        between = "\n"
    return digest.hexdigest()[:16]
