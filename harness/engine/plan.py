"""Define the plan of a run: its questions, its implementations and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...backends import EAGER, FRAMEWORKS, INTERPRET, Framework, Mode
from ...backends.claim import Claim
from ...cases.ledger import Entry
from ...cases.suites import Suite
from ..own import Learnt

_EAGER_ALONE = ("worked", "fuzz")  # many signatures, each with few cases
_SLOW_TOO = ("full",)


@dataclass(frozen=True)
class Plan:
    """The questions of one run, and how they are answered.

    Attributes:
        suite: the cases; for a shard only its part of them.
        frameworks: names of `backends.FRAMEWORKS`.
        modes: the modes to run; empty for those of the suite.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations, by framework.
        learnt: what is known of the functions in them, by framework; see `introduced`.
        jobs: number of workers at a time; 0 for as many as there are cores.
        timeout: seconds after which a question is given up.
        only: returns whether an implementation is evaluated; None for all.
        memory: resident bytes after which a worker is ended; 0 for its share of the machine's.
        cache: folder in which compilers keep their programs; empty for none, None for the settings
            of the machine.
        shard: number of this part, from 1 on, and the number of parts.
        only_own: whether a user's functions alone are asked, each the questions that are made for
            its claim, and the frameworks' own ones only where they may show the same finding.
        seed: the number of the draw of the suite.
        expected: the findings that the user expects, beside the ledger.
        conventions: those that the user's functions may follow; None for all.
        python: the interpreter of another environment that runs the workers; empty for this one.
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
    only_own: bool = False
    seed: int = 0
    expected: tuple[Entry, ...] = ()
    conventions: frozenset[str] | None = None
    learnt: dict[str, tuple[Learnt, ...]] = field(default_factory=dict)
    python: str = ""

    def asks(self, claim: Claim) -> bool:
        """Return whether an implementation is evaluated."""
        return self.only is None or self.only(claim)

    def modes_of(self, framework: str) -> tuple[str, ...]:
        """Return the modes that a framework is run in."""
        modes = FRAMEWORKS[framework].modes
        if self.modes:
            return tuple(mode.name for mode in modes if mode.name in self.modes)
        return tuple(mode.name for mode in modes if _is_asked(mode, self.suite.name))

    def mode_of(self, framework: str) -> str:
        """Return the mode in which users' functions are got to know."""
        return INTERPRET if INTERPRET in self.modes_of(framework) else EAGER


def _is_asked(mode: Mode, suite: str) -> bool:
    """Return whether a suite runs a mode by default."""
    if mode.is_eager:
        return not mode.is_interpreter
    return suite not in _EAGER_ALONE and (suite in _SLOW_TOO or not mode.is_slow)


def _why_nothing_to_interpret(framework: Framework) -> str:
    """Return why a framework has no kernels of its own or of guests; empty if it has some."""
    if framework.guests_here:
        return ""
    missing = " or ".join(framework.guests.values()).replace("_", "-")
    wanted = f", or install {missing}" if missing else ""
    return f"only kernels are interpreted: name a function of yours with --impl{wanted}"


def why_absent(framework: Framework, plan: Plan, *, here: bool = True) -> str:
    """Return why a framework cannot be evaluated; empty if nothing is known to prevent it.

    Args:
        framework: the framework.
        plan: the plan of the run.
        here: whether it would run on this machine, and not on a cluster.
    """
    here = here and not plan.python  # another environment says by itself what it lacks
    if here and framework.missing:
        return framework.why_missing
    if not plan.modes_of(framework.name):
        return f"has no such mode; it has {', '.join(framework.mode_names)}"
    if plan.modes_of(framework.name) == (INTERPRET,) and not plan.extra.get(framework.name):
        return _why_nothing_to_interpret(framework) if here else ""
    return ""
