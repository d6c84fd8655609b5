"""Which modes a run asks for, where nobody names one."""

from __future__ import annotations

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.suites import Suite
from lossdiff.harness.engine import Plan

QUICK = {
    "numpy": ("eager",), "torch": ("eager",), "jax": ("eager", "jit"),
    "tensorflow": ("eager", "function"),
}  # fmt: skip
EVERY = {
    "numpy": ("eager",), "torch": ("eager", "compile"), "jax": ("eager", "jit"),
    "tensorflow": ("eager", "function", "xla"),
}  # fmt: skip
EAGER = dict.fromkeys(FRAMEWORKS, ("eager",))


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("quick", QUICK), ("full", EVERY), ("worked", EAGER), ("fuzz", EAGER), ("onnx", QUICK),
        ("domain", QUICK), ("bench", QUICK),
    ],
)  # fmt: skip
def test_a_suite_asks_for_its_modes(suite: str, expected: dict[str, tuple[str, ...]]) -> None:
    plan = Plan(Suite(suite, ()), tuple(FRAMEWORKS))

    assert {name: plan.modes_of(name) for name in FRAMEWORKS} == expected


def test_a_mode_that_is_named_is_asked_alone() -> None:
    plan = Plan(Suite("worked", ()), tuple(FRAMEWORKS), modes=("xla", "jit"))

    assert {name: plan.modes_of(name) for name in FRAMEWORKS} == {
        "numpy": (), "torch": (), "jax": ("jit",), "tensorflow": ("xla",),
    }  # fmt: skip
