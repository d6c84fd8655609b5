"""How the tests run the command line, and what they ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.model import Case

ROOT = Path(__file__).parents[2]
HOSTILE = ROOT / "tests" / "hostile"
TINY = (
    Case.parse("logsumexp/float32/4x10/normal/-/0"),
    Case.parse("softmax/float32/4x10/normal/-/0"),
)
NUMPY = ("--backend", "numpy", "--operation", "logsumexp")
GOOD = """
import numpy as np

def logsumexp(logits, *, axis=-1):
    a = logits.max(axis, keepdims=True)
    return a.squeeze(axis) + np.log(np.exp(logits - a).sum(axis))
"""
WRONG = "def logsumexp(logits):\n    return logits.max(-1)\n"


class Ended:
    """How a command ended: its status, and what it printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def error(self) -> str:
        """The one line that says what is wrong; progress may stand before it."""
        # The traceback of a user's own error may stand before it, without lines of ours.
        assert f'File "{ROOT / "harness"}' not in self.err
        assert f'File "{ROOT / "src"}' not in self.err
        errors = [line for line in self.err.splitlines() if line.startswith("lossdiff: ")]
        assert len(errors) == 1
        assert self.err.endswith(errors[0] + "\n")
        return errors[0]


def as_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lossdiff", *arguments], capture_output=True, text=True, check=False
    )


def write(name: str, text: str) -> str:
    """Write a file here and return its name."""
    Path(name).write_text(text, encoding="utf-8")
    return name


def never(*_: Any) -> Any:
    """Stand where no work must be begun."""
    pytest.fail("work was begun")


def rows_of(text: str) -> list[dict[str, Any]]:
    """Read JSON lines; constants that JSON does not have are errors."""

    def refuse(constant: str) -> Any:
        pytest.fail(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
