"""`lossdiff merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow

from lossdiff._cli.status import Status

from .command import TINY


def test_the_parts_of_a_run_are_joined(lossdiff: Any) -> None:
    for part in ("1/2", "2/2"):
        lossdiff("check", "--backend", "numpy", "--suite", "worked", "--shard", part,
                 "-o", f"{part[0]}.sqlite")  # fmt: skip

    half = lossdiff("merge", "1.sqlite", "-o", "half.sqlite")
    whole = lossdiff("merge", "1.sqlite", "2.sqlite", "-o", "whole.sqlite")

    assert half.err == "numpy: shards that are missing still: 2\n"
    assert (whole.status, whole.err) == (Status.OK, "")
    with RunFile.open(Path("whole.sqlite")) as run:
        assert {row.case for row in run.rows(VerdictRow)} == {case.id for case in TINY}
