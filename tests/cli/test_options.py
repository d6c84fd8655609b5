"""The plan that options make."""

from __future__ import annotations

import pytest
from lossdiff.cases.suites import Suite

from lossdiff._cli.options import plan_of


@pytest.mark.parametrize(
    ("backends", "expected"),
    [
        ((), ("tensorflow", "jax", "torch", "numpy")),
        (("numpy", "jax", "numpy"), ("jax", "numpy")),
    ],
)
def test_the_worker_that_takes_longest_begins_first(
    backends: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    plan = plan_of(
        Suite("quick", ()), backends=backends, implementations=(), modes=(), device="cpu",
        jobs=0, timeout=1.0,
    )  # fmt: skip

    assert plan.frameworks == expected
