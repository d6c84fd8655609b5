"""What a framework says of itself before it is imported: plain data that every process may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

EAGER = "eager"  # the mode that every framework has: calls run as they come
_FOLDER = "{folder}"  # in `cached`: where this framework keeps what it compiles


@dataclass(frozen=True)
class Mode:
    """One way to run a framework.

    Attributes:
        name: on the command line and in the run file.
        compiler: what compiles each call, such as `xla`; empty where nothing does. Each compiler
            gets a process of its own, and may know how much memory its programs need.
        dtypes: where each compilation takes seconds, the only dtypes in which suites ask for it;
            empty where there is no need to choose. Such a mode is slow: of the suites, `full`
            alone asks for it without being told to.
    """

    name: str
    compiler: str = ""
    dtypes: tuple[str, ...] = ()

    @property
    def is_eager(self) -> bool:
        """Whether calls run as they come. In other modes suites ask a part of their cases."""
        return self.name == EAGER

    @property
    def is_slow(self) -> bool:
        """Whether each compilation takes seconds."""
        return bool(self.dtypes)


@dataclass(frozen=True)
class Framework:
    """A framework that has a backend.

    Attributes:
        name: on the command line and in the run file.
        package: where its modules `adapter` and `script` are: `__name__` of its `__init__`;
            `load_backend` and `dialect_of` import them.
        imports: the top-level packages that must be importable.
        extra: the extra of this project that installs it; empty for the core's own.
        modes: how it can be run, `eager` first.
        workers: into how many workers its questions are split, by dtype and shape. JAX compiles
            each operator for each of those, which takes longer than all others together.
        weight: how long a run of it takes beside the others; the heaviest begins first.
        benchmarked: patterns of the names that `bench` times, one name for each kernel: aliases
            and textbook formulas would only repeat it.
        has_handwritten_gradients: whether gradients are `NAME_vjp` functions; otherwise the
            framework differentiates by itself.
        quiet: environment variables that keep its log out of ours.
        thread_variables: environment variables that limit its threads.
        cached: the environment in which its compilers keep what they have compiled; `{folder}`
            stands for the folder.
        uncached: the environment in which they keep nothing.
    """

    name: str
    package: str
    imports: tuple[str, ...]
    extra: str = ""
    modes: tuple[Mode, ...] = (Mode(EAGER),)
    workers: int = 1
    weight: int = 0
    benchmarked: tuple[str, ...] = ()
    has_handwritten_gradients: bool = False
    quiet: Mapping[str, str] = field(default_factory=dict)
    thread_variables: tuple[str, ...] = ()
    cached: Mapping[str, str] = field(default_factory=dict)
    uncached: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.modes or not self.modes[0].is_eager:
            raise ValueError(f"the first mode of {self.name} must be {EAGER}")

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed; looked up, not imported."""
        return tuple(name for name in self.imports if util.find_spec(name) is None)

    @property
    def why_missing(self) -> str:
        """What is not installed, and what installs it; empty if all is there."""
        if not self.missing:
            return ""
        wanted = f"'lossdiff[{self.extra}]'" if self.extra else " ".join(self.missing)
        return f"{' and '.join(self.missing)} not installed; pip install {wanted}"

    @property
    def mode_names(self) -> tuple[str, ...]:
        """The names of its modes."""
        return tuple(mode.name for mode in self.modes)

    def mode(self, name: str) -> Mode:
        """Return a mode by its name."""
        return next(mode for mode in self.modes if mode.name == name)

    def environment_for(self, threads: int = 0, cache: str | None = None) -> dict[str, str]:
        """Return the environment variables that must be set before the import.

        Args:
            threads: how many threads it may use; 0 for as many as it likes.
            cache: folder in which compilers keep what they have compiled; empty for none, None
                for what is set up on the machine.
        """
        settings = dict.fromkeys(self.thread_variables, str(threads)) if threads else {}
        if cache is None:
            return settings
        own = str(Path(cache) / self.name)
        kept = {name: text.replace(_FOLDER, own) for name, text in self.cached.items()}
        return settings | (kept if cache else dict(self.uncached))
