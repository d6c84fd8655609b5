"""The plan: what one run asks of whom, and under which limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...backends import FRAMEWORKS, Framework, Mode
from ...backends.base import Claim
from ...cases.suites import Suite

_EAGER_ALONE = ("worked", "fuzz")  # many signatures, each with few cases
_SLOW_TOO = ("full",)


@dataclass(frozen=True)
class Plan:
    """What one run asks of whom.

    Attributes:
        suite: the cases; of a shard, its part of them.
        frameworks: names of `backends.FRAMEWORKS`.
        modes: empty for the suite's own.
        device: `cpu` or `gpu`.
        extra: for each framework the files or modules of a user's own implementations.
        jobs: how many workers run side by side; 0 for as many as there are cores.
        timeout: seconds that a question may take.
        only: which implementations are asked; all, where None.
        memory: bytes that a worker may take; 0 for its share of the machine's.
        cache: folder in which compilers keep what they have compiled; empty for none, None for
            what is set up on the machine.
        shard: which part of how many, from 1 on.
    """

    suite: Suite
    frameworks: tuple[str, ...]
    modes: tuple[str, ...] = ()
    device: str = "cpu"
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    jobs: int = 0
    timeout: float = 120.0
    only: Callable[[Claim], bool] | None = None
    memory: int = 0
    cache: str | None = None
    shard: tuple[int, int] = (1, 1)

    def asks(self, claim: Claim) -> bool:
        """Whether an implementation takes part."""
        return self.only is None or self.only(claim)

    def modes_of(self, framework: str) -> tuple[str, ...]:
        """Return the modes in which a framework is asked."""
        modes = FRAMEWORKS[framework].modes
        if self.modes:
            return tuple(mode.name for mode in modes if mode.name in self.modes)
        return tuple(mode.name for mode in modes if _is_asked(mode, self.suite.name))


def _is_asked(mode: Mode, suite: str) -> bool:
    """Whether a suite asks for a mode without being told to."""
    if mode.is_eager:
        return True
    return suite not in _EAGER_ALONE and (suite in _SLOW_TOO or not mode.is_slow)


def why_absent(framework: Framework, plan: Plan, *, here: bool = True) -> str:
    """Return why a framework cannot take part; empty if it can, as far as is known.

    Args:
        framework: which one.
        plan: what is asked.
        here: whether it is asked on this machine.
    """
    if here and framework.missing:
        return framework.why_missing
    if not plan.modes_of(framework.name):
        return f"has no such mode; it has {', '.join(framework.mode_names)}"
    return ""
