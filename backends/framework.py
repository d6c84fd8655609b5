"""The description of a framework before it is imported, as data that every process may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import util
from pathlib import Path

from ..cases.operations import DTYPES

EAGER = "eager"  # the mode that every framework has: nothing is compiled
INTERPRET = "interpret"  # kernels run in the interpreter of their language, without their device
AS_WRITTEN = (EAGER, INTERPRET)  # the modes in which no call is compiled first
_FOLDER = "{folder}"  # in `cached`: stands for the folder of compiled programs


@dataclass(frozen=True)
class Mode:
    """One way to run a framework.

    Attributes:
        name: its name on the command line and in the run file.
        compiler: the compiler of each call, such as `xla`; empty if nothing is compiled. Each
            compiler gets a process of its own, and may report the memory that its programs need.
        dtypes: if each compilation takes seconds, the only dtypes in which suites use the mode;
            empty if they need not choose. Such a mode is slow: among the suites, only `full` uses
            it unless the user names it.
        variables: the environment variables that the framework and what it calls read at their
            import.
        lacks: the dtypes in which nothing can be judged in it, each with the reason.
        most: the largest number of logits of a case that is asked in it; 0 for any number.

    >>> Mode("jit", compiler="xla").is_slow
    False
    """

    name: str
    compiler: str = ""
    dtypes: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    most: int = 0

    @property
    def is_eager(self) -> bool:
        """Whether nothing is compiled. In other modes, suites use a part of their cases only."""
        return self.name in AS_WRITTEN

    @property
    def is_interpreter(self) -> bool:
        """Whether kernels are interpreted.

        Users' functions and packages of kernels are asked in such a mode, and nothing of what the
        framework itself ships. It is used only if the user names it.
        """
        return self.name == INTERPRET

    @property
    def is_alone(self) -> bool:
        """Whether it needs a process of its own."""
        return bool(self.compiler) or self.is_interpreter

    @property
    def is_slow(self) -> bool:
        """Whether each compilation takes seconds."""
        return bool(self.dtypes)


@dataclass(frozen=True)
class Library:
    """A library that users know by its own name, and the functions that stand for it.

    Attributes:
        label: its name as its users write it.
        names: patterns of the names of its functions.
        main: patterns of the names of its main functions; of several functions that take a
            question, the one that fits the earliest pattern stands for the library.
        parts: packages that users know by names of their own though the library stands for them,
            each with the pattern of its functions.

    >>> Library("Mine", ("mine.*",), ("mine.losses.*",)).holds("mine.losses.nll")
    True
    """

    label: str
    names: tuple[str, ...]
    main: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)

    def label_of(self, implementation: str) -> str:
        """Return the name by which users know the package of one of its functions.

        >>> Library("Mine", ("mine.*", "yours.*"), parts={"Yours": "yours.*"}).label_of("yours.f")
        'Yours'
        """
        parts = self.parts.items()
        return next((it for it, names in parts if fnmatchcase(implementation, names)), self.label)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its name and those of its parts."""
        return self.label, *self.parts

    def holds(self, implementation: str) -> bool:
        """Return whether a function is one of the library's."""
        return any(fnmatchcase(implementation, pattern) for pattern in self.names)

    def rank(self, implementation: str) -> int | None:
        """Return the place of a function among the main ones, 0 for the first; None if it is none.

        >>> Library("Mine", ("mine.*",), ("mine.nll", "mine.*")).rank("mine.loss")
        1
        """
        fits = (fnmatchcase(implementation, pattern) for pattern in self.main)
        return next((place for place, it in enumerate(fits) if it), None)


@dataclass(frozen=True)
class Framework:
    """A framework that has a backend.

    Attributes:
        name: its name on the command line and in the run file.
        package: the package that has its modules `adapter` and `script`, usually `__name__` of
            its `__init__`; `load_backend` and `dialect_of` import them.
        imports: the top-level packages that must be importable.
        extra: the extra of this project that installs it; empty if the core requires it anyway.
        modes: the modes in which it can be run, `eager` first.
        workers: the number of workers among which its questions are partitioned, by dtype and
            shape. JAX compiles each operator for each dtype and shape, which takes longer than
            all other frameworks together.
        weight: the duration of its run relative to the others; the heaviest begins first.
        libraries: the libraries that it comes with, as users name them; without any, it is one of
            its own name.
        guests: the files of implementations of packages of kernels, each with its package; they
            are asked where it is installed and its kernels can run: on a GPU, or interpreted.
        benchmarked: patterns of the names that `bench` times, one name for each kernel: aliases
            and textbook formulas would only repeat it.
        dtypes: the dtypes that a user's function is asked unless it says others: what the
            framework's users have.
        quickest: the mode that answers one question in a new dtype and shape soonest.
        has_handwritten_gradients: whether gradients are `NAME_vjp` functions; otherwise the
            framework has automatic differentiation.
        widens: whether its 64-bit types, which are on when it is asked, are off by default, so that
            its users' arrays without a dtype are not float64.
        quiet: environment variables that silence its log.
        thread_variables: environment variables that limit its threads.
        cached: environment variables that make its compilers store compiled programs; `{folder}`
            stands for the folder.
        uncached: environment variables that make its compilers store nothing.

    Raises:
        ValueError: the first mode is not `eager`.

    >>> Framework("mine", "mine.backend", imports=("numpy",)).why_missing
    ''
    """

    name: str
    package: str
    imports: tuple[str, ...]
    extra: str = ""
    modes: tuple[Mode, ...] = (Mode(EAGER),)
    workers: int = 1
    weight: int = 0
    libraries: tuple[Library, ...] = ()
    guests: Mapping[str, str] = field(default_factory=dict)
    benchmarked: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = DTYPES
    quickest: str = EAGER
    has_handwritten_gradients: bool = False
    widens: bool = False
    quiet: Mapping[str, str] = field(default_factory=dict)
    thread_variables: tuple[str, ...] = ()
    cached: Mapping[str, str] = field(default_factory=dict)
    uncached: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.modes or not self.modes[0].is_eager:
            raise ValueError(f"the first mode of {self.name} must be {EAGER}")

    @property
    def known_as(self) -> tuple[Library, ...]:
        """Its libraries, or one of its own name that holds all of its functions.

        >>> [library.label for library in Framework("mine", "", ()).known_as]
        ['mine']
        """
        return self.libraries or (Library(self.name, ("*",), ("*",)),)

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed. They are looked up and not imported."""
        return tuple(name for name in self.imports if util.find_spec(name) is None)

    @property
    def why_missing(self) -> str:
        """The packages that are not installed and the command that installs them; else empty."""
        if not self.missing:
            return ""
        wanted = f"'lossdiff[{self.extra}]'" if self.extra else " ".join(self.missing)
        return f"{' and '.join(self.missing)} not installed; pip install {wanted}"

    @property
    def guests_here(self) -> tuple[str, ...]:
        """The files of implementations of the packages of kernels that are installed."""
        return tuple(file for file, package in self.guests.items() if util.find_spec(package))

    @property
    def mode_names(self) -> tuple[str, ...]:
        """The names of the modes, in their order."""
        return tuple(mode.name for mode in self.modes)

    def mode(self, name: str) -> Mode:
        """Return the mode of a name, which must be one of `mode_names`."""
        return next(mode for mode in self.modes if mode.name == name)

    def environment_for(self, threads: int = 0, cache: str | None = None) -> dict[str, str]:
        """Return the environment variables that must be set before the import.

        Args:
            threads: the number of threads that it may use; 0 for its own choice.
            cache: the folder in which compilers store compiled programs; empty to store nothing,
                None for the settings of the machine.

        >>> numpy = Framework("numpy", "", (), thread_variables=("OMP_NUM_THREADS",))
        >>> numpy.environment_for(threads=1)
        {'OMP_NUM_THREADS': '1'}
        """
        settings = dict.fromkeys(self.thread_variables, str(threads)) if threads else {}
        if cache is None:
            return settings
        own = str(Path(cache) / self.name)
        kept = {name: text.replace(_FOLDER, own) for name, text in self.cached.items()}
        return settings | (kept if cache else dict(self.uncached))
