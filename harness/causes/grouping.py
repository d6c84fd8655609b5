"""Group findings on the functions of frameworks by their cause, the worst cause first.

Verdicts pass one by one, and only the plainest finding of a cause is kept, so that a run may have
any number of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ...backends import EAGER, FRAMEWORKS, libraries, library_of
from ...cases.dtypes import FORMATS
from ...cases.families import is_everyday
from ..runfile import RunFile, VerdictRow
from ..verdicts import VerdictKind, kind_of
from .plainness import plainness
from .shown_questions import ShownQuestions, on

Concern = Literal["invalid", "narrow", "extreme", "everyday"]
Section = Literal["new", "native", "recipe", "invalid", "textbook"]
_SECTIONS: tuple[Section, ...] = ("new", "native", "recipe", "invalid", "textbook")
_KINDS = ("native", "recipe", "textbook")
_OF_A_CALL = ("raised", "timed out", "crashed")  # whatever was wanted of it
_NOT_OF_ONE_ANSWER = ("relation", "nondeterministic", "mutates", "spoils")
_STEPS = ("exp", "cross_entropy_probs")  # which few people call for themselves
_LAST = 99  # the place of what has none
_WIDE = 4  # bytes of a number of more than 16 bits


class Touched(NamedTuple):
    """A function that shows a cause: its name, its library, its kind and its framework."""

    name: str
    library: str
    kind: str
    framework: str


@dataclass
class FindingCause:
    """What findings on the functions of frameworks have in common.

    Attributes:
        id: the name of the ledger's entry, or `new:…` with what new findings have in common.
        is_known: whether an entry of the ledger names it.
        plainest: the finding that is easiest to read, of a function that users call if there is
            one, on a question on which as many libraries as possible show the cause.
        everyday: how many of its findings are on everyday inputs in float32 or float64, those on
            textbook formulas and on invalid input aside.
        beside: what the other libraries show on the same question, a finding of each.
        functions, operations, quantities, verdicts, modes, dtypes: how often each is touched; a
            mode on another device than the CPU comes with that device.
        is_ordinary: whether it shows without a compiler, in float32 or float64.
        is_main: whether it shows in a function that stands for its library.
        is_everyday: whether it shows on everyday inputs.
    """

    id: str
    is_known: bool
    plainest: VerdictRow
    functions: Counter[Touched] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    quantities: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    is_ordinary: bool = False
    is_main: bool = False
    is_everyday: bool = False
    everyday: int = 0
    beside: tuple[VerdictRow, ...] = ()
    _by_kind: dict[int, ShownQuestions] = field(default_factory=dict, repr=False)

    def add(self, row: VerdictRow) -> None:
        """Count a finding."""
        name, framework = row.implementation, row.framework
        touched = Touched(name, library_of(name, framework), row.kind, framework)
        self.functions[touched] += 1
        self.operations[row.operation] += 1
        self.quantities[row.quantity] += 1
        self.verdicts[row.verdict] += 1
        way = row.mode if row.device in ("", "cpu") else f"{row.mode} on {row.device}"
        self.modes[way] += 1
        self.dtypes[row.dtype] += 1
        self.is_ordinary |= row.mode == EAGER and _is_wide(row.dtype)
        self.is_main |= row.kind == "native" and main_rank(row.implementation) is not None
        self.is_everyday |= is_everyday(row.family)
        self.everyday += concern_of(row) == "everyday" and row.kind != "textbook"
        self.plainest = min(self.plainest, row, key=ease)
        # What has one answer in eager mode can be shown by a small input; textbook formulas are
        # no libraries.
        if row.mode == EAGER and row.kind != "textbook" and is_scripted(row.verdict):
            self._keep(touched.library, row)

    def _keep(self, library: str, row: VerdictRow) -> None:
        """Keep a finding by which the cause may be shown, if there is none that is easier."""
        questions = self._by_kind.setdefault(_kind_rank(row.kind), ShownQuestions())
        here = questions.at((row.case, row.quantity))
        here[library] = min(here.get(library, row), row, key=ease)

    def choose(self) -> None:
        """Choose the finding by which it is shown, once all are counted.

        A title speaks of all libraries that show a cause, and of what it does most often: the
        question is one that shows it in as many of them as possible, with its usual verdict.
        """
        if not self._by_kind:
            return
        kinds = [self._by_kind[rank] for rank in sorted(self._by_kind)]
        for questions in kinds:
            questions.prune()
        usual = min(self.verdicts, key=lambda word: (-self.verdicts[word], word))

        def order(row: VerdictRow) -> tuple[object, ...]:
            showing = len(kinds[0].rows[row.case, row.quantity])
            return -showing, row.verdict != usual, ease(row)

        rows = [row for here in kinds[0].rows.values() for row in here.values()]
        self.plainest = min(rows, key=order)
        here = on((self.plainest.case, self.plainest.quantity), kinds)
        beside = [row for row in here.values() if row is not self.plainest]
        self.beside = tuple(sorted(beside, key=ease))
        self._by_kind = {}

    def join(self, other: FindingCause) -> None:
        """Take over the findings of another cause."""
        for name in ("functions", "operations", "quantities", "verdicts", "modes", "dtypes"):
            getattr(self, name).update(getattr(other, name))
        self.is_ordinary |= other.is_ordinary
        self.is_main |= other.is_main
        self.is_everyday |= other.is_everyday
        self.everyday += other.everyday
        self.plainest = min(self.plainest, other.plainest, key=ease)
        for questions in other._by_kind.values():
            for rows in questions.rows.values():
                for library, row in rows.items():
                    self._keep(library, row)

    @property
    def count(self) -> int:
        """The number of findings."""
        return self.functions.total()

    @property
    def looks_like(self) -> str:
        """The usual mistakes that the finding by which it is shown looks like."""
        return self.plainest.looks_like

    @property
    def section(self) -> Section:
        """What it is told with: new ones first, then by the functions that it touches."""
        if not self.is_known:
            return "new"
        kinds = {touched.kind for touched in self.functions}
        if kinds == {"textbook"}:
            return "textbook"
        if all(kind_of(word).word == "accepted" for word in self.verdicts):
            return "invalid"
        return "native" if "native" in kinds else "recipe"

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries whose functions it touches, own functions alone where there are some."""
        own = {touched.library for touched in self.functions if touched.kind == "native"}
        found = own or {touched.library for touched in self.functions}
        return tuple(sorted(found, key=lambda it: (library_rank(it), it)))

    @property
    def rank(self) -> tuple[object, ...]:
        """A key that is smallest for the worst cause: what hits the most users comes first."""
        return (
            _SECTIONS.index(self.section),
            _kind_rank(self.plainest.kind),
            not self.is_ordinary,
            self.operations.keys() <= set(_STEPS),
            not self.is_main,
            -len(self.libraries),
            not self.is_everyday,
            -self.count,
            self.id,
        )


def causes_of_findings(rows: Iterable[VerdictRow]) -> list[FindingCause]:
    """Return the causes of the findings on functions of frameworks, the worst first.

    Args:
        rows: verdicts of any run, which may come from a generator. Those that are no findings are
            left out, and those on users' functions, whose causes `reports.causes` finds.
    """
    found: dict[str, FindingCause] = {}
    for row in rows:
        if row.kind == "user" or kind_of(row.verdict).category != "finding":
            continue
        name = row.ledger or row.verdict if row.known else _of_new(row)
        if name not in found:
            found[name] = FindingCause(name, row.known, row)
        found[name].add(row)
    causes = _joined(found)
    for cause in causes:
        cause.choose()
    return sorted(causes, key=lambda cause: cause.rank)


def ease(row: VerdictRow) -> tuple[object, ...]:
    """Return a key that is smallest for the finding by which a cause is shown."""
    kind = _kind_rank(row.kind)
    main, easy = main_rank(row.implementation), plainness(row)
    main = _LAST if main is None else main
    library = library_rank(library_of(row.implementation, row.framework))
    name = row.implementation
    # What compiles for each shape takes long to shrink, so that others are preferred.
    is_slow = row.framework in FRAMEWORKS and FRAMEWORKS[row.framework].workers > 1
    scripted = is_scripted(row.verdict)
    return (kind, not scripted, *easy[:-1], is_slow, main, library, name, easy[-1])


def findings_of(run: RunFile) -> Iterator[VerdictRow]:
    """Yield the findings of a run on functions of frameworks.

    Args:
        run: an open run file.
    """
    words = [kind.word for kind in VerdictKind if kind.category == "finding"]
    # What follows the word and a colon is the name of a relation or an argument.
    one = "verdict = ? OR substr(verdict, 1, length(?) + 1) = ? || ':'"
    where = f"kind <> 'user' AND ({' OR '.join([one] * len(words))})"
    yield from run.rows(VerdictRow, where, [it for word in words for it in [word] * 3])


def concern_of(row: VerdictRow) -> Concern:
    """Return who has to care about a finding: those with invalid input, with 16 bits, …, or all."""
    if kind_of(row.verdict).word == "accepted":
        return "invalid"
    if not _is_wide(row.dtype):
        return "narrow"
    is_usual = is_everyday(row.family) or row.family.startswith("worked:")
    return "everyday" if is_usual else "extreme"


def is_scripted(verdict: str) -> bool:
    """Return whether a verdict is about one answer, so that a script can show it.

    >>> is_scripted("inaccurate"), is_scripted("relation:shift")
    (True, False)
    """
    return kind_of(verdict).word not in _NOT_OF_ONE_ANSWER


def _kind_rank(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def library_rank(label: str) -> int:
    """Return the place of a library among all, in the order in which they are told.

    >>> library_rank("NumPy") < library_rank("Keras") < library_rank("another")
    True
    """
    known = [library.label for library in libraries()]
    return known.index(label) if label in known else _LAST


def main_rank(implementation: str) -> int | None:
    """Return the place of a function among the main ones of its library; None if it is none.

    >>> main_rank("tf.nn.softmax"), main_rank("tf.compat.v1.losses.log_loss")
    (0, None)
    """
    return next((it.rank(implementation) for it in libraries() if it.holds(implementation)), None)


def _is_wide(dtype: str) -> bool:
    return dtype in FORMATS and FORMATS[dtype].dtype.itemsize >= _WIDE


# --- new findings ----------------------------------------------------------------------------

_EASY = ("eager", "wide")  # what shows so is no fault of a compiler or of 16 bits


def _of_new(row: VerdictRow) -> str:
    """Return the name of the cause of a new finding, with its mode and the width of its dtype."""
    parts = (
        library_of(row.implementation, row.framework),
        row.operation,
        row.kind,
        row.verdict,
        "" if kind_of(row.verdict).word in _OF_A_CALL else row.quantity,
        row.looks_like,
        row.mode,
        "wide" if _is_wide(row.dtype) else "16 bits",
    )
    return "new:" + "/".join(parts)


def _joined(found: dict[str, FindingCause]) -> list[FindingCause]:
    """Return causes of which none differs from another, without a compiler, by its mode or dtype.

    What shows in eager mode and in a wide dtype shows in the others for the same reason.
    """
    easy = {
        name.rsplit("/", len(_EASY))[0]: cause
        for name, cause in found.items()
        if not cause.is_known and tuple(name.rsplit("/", len(_EASY))[1:]) == _EASY
    }
    left = []
    for name, cause in found.items():
        whole = None if cause.is_known else easy.get(name.rsplit("/", len(_EASY))[0])
        if whole is None or whole is cause:
            left.append(cause)
        else:
            whole.join(cause)
    return left
