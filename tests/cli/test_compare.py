"""`lossdiff compare`; what counts as a change is tested with `harness.comparing`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lossdiff._cli.status import Status

from .command import write


def test_a_run_is_like_itself(lossdiff: Any, run_file: Path) -> None:
    ended = lossdiff("compare", run_file, run_file, "--markdown", "pages/c.md")

    assert (ended.status, ended.err) == (Status.OK, "")
    assert Path("pages/c.md").read_text(encoding="utf-8").startswith("## lossdiff: no regressions")
    assert ended.out.startswith("lossdiff: no regressions")
    assert not any(mark in ended.out for mark in ("##", "**", "|"))


def test_it_has_room_in_a_terminal(
    lossdiff: Any, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path("other.sqlite")
    monkeypatch.setenv("COLUMNS", "80")
    lossdiff("check", "--backend", "numpy", "--operation", "softmax", "-o", other)

    ended = lossdiff("compare", run_file, other)

    words = [it for it in (ended.out + ended.err).splitlines() if len(it) > 80]
    assert [it for it in words if len(it.split()) > 1 and not it.startswith("lossdiff: ")] == []


@pytest.mark.parametrize("option", ["--markdown", "--junit"])
def test_a_place_that_cannot_be_written_ends_with_2(
    lossdiff: Any, run_file: Path, option: str
) -> None:
    file = write("file", "")

    ended = lossdiff("compare", run_file, run_file, option, f"{file}/page")

    assert (ended.status, ended.out) == (Status.USAGE, "")
    assert "cannot write file" in ended.error
