"""What makes two runs the same questions: compared where a run goes on, or runs are joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from ...cases.suites import Suite
from .plan import Plan

# Entries of `meta`, and how the command line calls them.
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
    """Return the entries of `meta` that say what is asked of whom.

    Args:
        plan: what is asked; of a shard.
        whole: the suite before it was sharded.
        seed: of the suite.
        count: of the suite.
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
        "functions": _digest(
            Path(place).read_text(errors="replace") for places in plan.extra.values()
            for place in places if place.endswith(".py")
        ),
    }  # fmt: skip


def written(files: Mapping[str, Sequence[str]]) -> str:
    """Return the entry `implementations` of `meta`: empty where the user gave no file."""
    return json.dumps(files) if files else ""


def users_files(meta: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return for each framework the files or modules of the user's own implementations.

    No file is written as an empty text; earlier versions wrote `{}`, or no entry.
    """
    found = json.loads(meta.get("implementations") or "{}")
    return {framework: tuple(places) for framework, places in found.items()}


def difference(before: Mapping[str, str], now: Mapping[str, str], among: Mapping[str, str]) -> str:
    """Return the first thing in which two runs differ, in words; empty if there is none."""
    for key, name in among.items():
        old, new = before.get(key, ""), now.get(key, "")
        if old != new:
            if key in ("questions", "functions"):
                return f"{name} that differ"
            return f"{name} {old or '(none)'}, not {new or '(none)'}"
    return ""


def _digest(texts: Iterable[str]) -> str:
    digest, between = sha256(), ""
    for text in texts:
        digest.update((between + text).encode(errors="backslashreplace"))
        between = "\n"
    return digest.hexdigest()[:16]
