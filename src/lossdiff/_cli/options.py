"""The options that select questions and implementations, and the plan that they make."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from ..backends import FRAMEWORKS
from ..cases.operations import OPERATIONS
from ..cases.suites import Suite
from ..errors import InputError
from ..harness.engine import Plan
from ..harness.own import place_of
from ..harness.workers import GIB, define_tried
from ..outputs import shown
from .names import Name, OwnType, given, unknown
from .numbers import TIME_LIMIT, Finite, Whole
from .output import OutputPath

MODES = tuple(dict.fromkeys(mode for item in FRAMEWORKS.values() for mode in item.mode_names))
_LONGEST = 4096  # characters of a place
C = TypeVar("C", bound=Callable[..., Any])


class Implementations(OwnType):
    """The type of a parameter `FRAMEWORK=PLACE`; see `own.place_of`."""

    name = "framework=file"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        framework, equals, place = value.partition("=")
        if not equals or not place or len(place) > _LONGEST:
            self.fail(f"{given(value)} is not FRAMEWORK=FILE, such as torch=mine.py", param, ctx)
        if framework not in FRAMEWORKS:
            self.fail(unknown("framework", framework, FRAMEWORKS), param, ctx)
        return framework, checked_place(place)


def checked_place(text: str) -> str:
    """Return a place as text that means the same in any folder: workers may start elsewhere.

    Raises:
        UsageError: it is none, there is no such file, or its name is not UTF-8.
    """
    # The run says in JSON of which file its functions are, which has no such characters.
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise click.UsageError(f"{shown(text)} is not UTF-8: move or rename it")
    try:
        define_tried(text)
        place = place_of(text)
    except InputError as error:
        raise click.UsageError(str(error)) from error
    if place.file is not None and not place.file.is_file():
        raise click.UsageError(f"there is no file {place.source}{_near(place.file)}")
    absolute = place.absolute()
    if any("\ud800" <= sign <= "\udfff" for sign in absolute):
        raise click.UsageError(f"{shown(absolute)} is not UTF-8: move or rename it")
    return absolute


def _near(file: Path) -> str:
    """Return which file of the same folder has nearly this name, to be appended."""
    names = [it.name for it in file.parent.glob("*.py")] if file.parent.is_dir() else []
    near = get_close_matches(file.name, names, 1)
    return f"; did you mean {file.parent / near[0]}?" if near else ""


def selection_options(command: C) -> C:
    """Add the options that select questions, implementations and workers.

    Args:
        command: the function of a click command.
    """
    for option in reversed(
        (
            click.option("--backend", "backends", multiple=True, metavar="NAME",
                         type=Name("framework", FRAMEWORKS), help="Only this framework."),
            click.option("--operation", "operations", multiple=True, metavar="NAME",
                         type=Name("operation", OPERATIONS), help="Only this operation."),
            # It goes first, as a file may define the operation that another option names.
            click.option("--impl", "implementations", multiple=True, metavar="FRAMEWORK=FILE",
                         type=Implementations(), is_eager=True,
                         help="Functions of your own: a file, a module, or an object of one and "
                              "what it is, mine.py:loss=cross_entropy."),
            click.option("--mode", "modes", multiple=True, metavar="NAME",
                         type=Name("mode", MODES), help=f"One of {', '.join(MODES)}."),
            click.option("--device", default="cpu", show_default=True, metavar="cpu|gpu",
                         type=Name("device", ("cpu", "gpu")), help="Where to run."),
            click.option("--jobs", default=0, metavar="N", type=Whole(most=10_000),
                         help="Workers side by side; by default as many as there are cores."),
            click.option("--timeout", default=120.0, show_default=True, metavar="S",
                         type=TIME_LIMIT,
                         help="Seconds for one question."),
            click.option("--memory", default=0.0, metavar="GIB", type=Finite(most=2**20),
                         help="GiB that a worker may take; by default its share of the machine."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Only say what is taken of your own functions, and as what."
)


def output_option(default: str | None, text: str | None = None) -> Callable[[C], C]:
    """Return a decorator that adds `-o`, the path of the result.

    Args:
        default: the path if the option is not given; None for no path.
        text: what the help says about it.
    """
    return click.option(
        "-o",
        "--output",
        default=default,
        show_default=True,
        metavar="FILE",
        type=OutputPath(),
        help=text,
    )


def plan_of(
    chosen: Suite,
    *,
    backends: tuple[str, ...],
    implementations: tuple[tuple[str, str], ...],
    modes: tuple[str, ...],
    device: str,
    jobs: int,
    timeout: float,
    memory: float = 0.0,
    only: Callable[[Any], bool] | None = None,
    shard: tuple[int, int] = (1, 1),
    cache: str | None = None,
) -> Plan:
    """Return the plan for a suite with the options of `selection_options`.

    Args:
        chosen: the suite.
        backends: the frameworks; empty for all.
        implementations: pairs of a framework and a file or module of the user's own functions.
        modes: the modes; empty for those that the suite chooses.
        device: `cpu` or `gpu`.
        jobs: the number of workers at a time; 0 for one per core.
        timeout: the seconds for one question.
        memory: the GiB that a worker may use; 0 for its part of the machine.
        only: selects the claims that are asked; None for all.
        shard: the part and the number of parts.
        cache: the folder of compiled programs; see `Framework.environment_for`.

    Raises:
        UsageError: `--impl` names a framework that `--backend` leaves out.
    """
    extra: dict[str, tuple[str, ...]] = {}
    for framework, place in implementations:
        extra[framework] = (*extra.get(framework, ()), place)
    names = backends or tuple(FRAMEWORKS)
    for framework in extra:
        if framework not in names:
            raise click.UsageError(f"--impl names {framework}, which --backend leaves out")
    # The longest run begins first, or the others would wait for it at the end.
    heaviest_first = sorted(FRAMEWORKS.values(), key=lambda framework: -framework.weight)
    order = tuple(framework.name for framework in heaviest_first if framework.name in names)
    return Plan(
        chosen,
        order,
        modes,
        device,
        extra,
        jobs,
        timeout,
        only,
        memory=int(memory * GIB),
        shard=shard,
        cache=cache,
    )


def is_complete(plan: Plan) -> bool:
    """Return whether a plan asks all frameworks all of the suite on the CPU, as for the ledger."""
    whole = not plan.modes and not plan.suite.operations and plan.device == "cpu"
    whole = whole and plan.shard == (1, 1)
    return whole and set(plan.frameworks) == set(FRAMEWORKS)
