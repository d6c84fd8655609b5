"""A session of a function that never answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.harness.repro import session
from lossdiff.harness.repro.session import Session

ENDLESS = Path(__file__).parents[2] / "hostile" / "endless.py"


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session that shows `endless.softmax_is_deaf`, which is soon given up."""
    monkeypatch.setattr(session, "_LEARN_TIMEOUT", 1.0)
    with Session("numpy", extra=(str(ENDLESS),), only="endless.softmax_is_deaf") as made:
        yield made
