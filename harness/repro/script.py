"""Write a script that shows one verdict.

The script has the inputs bit for bit, the call, the exact values and their bounds. It needs NumPy
and the framework but not this program, so that it can be pasted into a report. It ends with status
0 if it reproduces the verdict, and with 1 if not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends import FRAMEWORKS, dialect_of
from ...backends.base import ARGUMENTS, result_shape
from ...backends.dialect import ScriptCall, Wanted
from ...cases.dtypes import format_of
from ...cases.model import Case, shape_text
from ...cases.operations import OF_NUMBERS
from ...errors import SessionError
from ...printing import printable
from ..answers import GRADIENT_TARGET, HVP_LOGITS, LINEAR_GRADIENTS, VALUE, Failure
from ..bounds import SOUND
from ..judging import DtypeMismatch, SolvedCase, Verdict
from ..verdicts import UNDEFINED
from ..workers import AnswerSelector, wrt_for
from .literals import array_text, modules_needed
from .session import Session

_ALL = 16  # up to this many elements all are compared; of more, the worst ones
_WORST = 4
_HANGS = 60  # seconds after which a script reports that nothing came back
_WANTED: dict[str, Wanted] = {VALUE: "value", HVP_LOGITS: "second derivative"}
_MEANT = {
    "value": "the value",
    "gradient_logits": "the gradient by `{first}`",
    "gradient_target": "the gradient by `target`",
    "gradient_hidden": "the gradient by `hidden`",
    "gradient_linear_weight": "the gradient by `linear_weight`",
    "gradient_linear_bias": "the gradient by `linear_bias`",
    "hvp_logits": "the derivative of the gradient by `{first}` along `direction`",
}


@dataclass(frozen=True)
class Origin:
    """The run in which a finding was made.

    Attributes:
        case: the id of the case in that run.
        version: the version of this program that made the run.
        is_shrunk: whether the script shows a reduced case instead.
    """

    case: str
    version: str
    is_shrunk: bool


def write_script(
    session: Session, case: Case, selector: AnswerSelector, verdict: Verdict, origin: Origin
) -> str:
    """Return the text of a script that shows a verdict.

    Args:
        session: evaluates the case once more, for the numbers that the script compares with.
        case: the case to show, reduced or not.
        selector: the answer that was judged.
        verdict: the verdict on this answer.
        origin: the run in which it was found; the script names it.

    Returns:
        The text of a Python program.

    Raises:
        SessionError: the framework gives no answer this time.
        SourceError: the source text of the implementation cannot be found.
    """
    return _Writer(session, case, selector, verdict, origin).text()


class _Writer:
    """Writes the parts of one script: header, imports, definitions, arrays, call, comparison."""

    def __init__(
        self,
        session: Session,
        case: Case,
        selector: AnswerSelector,
        verdict: Verdict,
        origin: Origin,
    ) -> None:
        self._asker, self._case, self._point = session, case, selector
        self._verdict, self._origin = verdict, origin
        self._inputs = case.inputs()
        self._source = session.source(case, selector)
        self._framework = FRAMEWORKS[session.framework]
        self._dialect = dialect_of(self._framework.name)
        self._asked = self._what_is_asked()
        self._question: SolvedCase = session.question(case)

    def _what_is_asked(self) -> ScriptCall:
        names = {name: name for name in ARGUMENTS} | {"values": self._case.contract.domain}
        given = [name for name in ARGUMENTS if getattr(self._inputs, name) is not None]
        by_hand = self._framework.has_handwritten_gradients
        wrt = wrt_for(self._point.quantity, by_hand=by_hand)
        # The call must be the one that was judged: a framework may compute a gradient otherwise
        # when a second one is computed in the same call.
        if self._point.all_gradients:
            soft = self._case.target_kind in OF_NUMBERS
            wrt = ("values", "target") if soft else ("values",)
            if self._case.contract.is_linear:
                wrt = tuple(name for name in LINEAR_GRADIENTS if name in given)
        return ScriptCall(
            mode=self._point.mode,
            wanted=_WANTED.get(self._point.quantity, "gradient"),
            call=self._source.call,
            gradient=self._source.gradient,
            arrays=tuple(names[name] for name in given),
            wrt=tuple(names[name] for name in wrt),
            position=self._position(wrt),
            of_scalar=not result_shape(self._case),
        )

    def _position(self, wrt: tuple[str, ...]) -> int:
        """Return the place of the asked gradient among those of a call."""
        if self._point.quantity == GRADIENT_TARGET:
            return len(wrt) - 1
        names: dict[str, str] = {it: name for name, it in LINEAR_GRADIENTS.items()}
        name = names.get(self._point.quantity, "")
        return wrt.index(name) if name in wrt else 0

    def text(self) -> str:
        """Return the text of the script."""
        # The lines of the body decide which imports the head needs.
        body = [*self._arrays(), "", *self._shown()]
        head = f"{self._header()}\n\n{self._imports(chr(10).join(body))}"
        parts = [head, *self._source.definitions]
        gap = "\n\n\n" if self._source.definitions else "\n\n"
        return "\n\n\n".join(parts) + gap + "\n".join(body) + "\n"

    # --- before the call

    def _header(self) -> str:
        case, selector, verdict = self._case, self._point, self._verdict
        options = ", ".join(f"{key}={value}" for key, value in case.options.given().items())
        target = f", {case.target_kind} target" if case.target_kind else ""
        shape = shape_text(case.sizes)
        meaning = verdict.kind.meaning
        facts = {
            "question": f"{case.operation}{target}, {case.dtype}, shape {shape}",
            "options": options,
            "asked": f"{_MEANT[selector.quantity].format(first=case.contract.domain)}; "
            f"mode {selector.mode}, device {self._asker.device}",
            "verdict": f"{verdict.word}: {meaning}",
            "note": verdict.note,
            "versions": self._versions(),
            "found by": f"lossdiff {self._origin.version}, in the case {self._origin.case}"
            + (", shrunk" if self._origin.is_shrunk else ""),
        }
        lines = [f"{selector.implementation}, {selector.quantity}: {verdict.word}", ""]
        lines += [f"{key:<9} {value}" for key, value in facts.items() if value]
        lines += ["", "Ends with status 0 if this shows, with 1 if not."]
        return "\n".join(f"# {_printable(line)}".rstrip() for line in lines)

    def _versions(self) -> str:
        facts = self._asker.catalogue.environment
        versions = {**facts.get("versions", {}), "numpy": facts.get("numpy", np.__version__)}
        named = [f"{name} {version}" for name, version in versions.items()]
        others = [f"Python {facts.get('python')}", facts.get("platform"), facts.get("cpu")]
        return ", ".join([*named, *(str(item) for item in others if item)])

    def _imports(self, body: str) -> str:
        settings = self._settings()
        lines = {"import sys", *self._dialect.imports, *self._source.imports}
        lines |= {
            *modules_needed(body),
            *(["import os"] if "os.environ" in "".join(settings) else []),
        }
        lines |= {"import ml_dtypes"} if "ml_dtypes." in body else set()
        lines |= {"import threading"} if "threading." in body else set()
        lines |= {"import os"} if "os._exit" in body or "os.environ" in "".join(settings) else set()
        # Settings are read when a framework is imported: `os` and the settings come before it.
        future = {line for line in lines if line.startswith("from __future__")}
        standard = sorted((line for line in lines - future if _is_standard(line)), key=_order)
        others = sorted(lines - future - set(standard), key=_order)
        before = [*future, *(standard if settings else [])]
        if settings:
            return "\n".join([*before, "", *settings, "", *others])
        return "\n".join([*before, *standard, "", *others])

    def _settings(self) -> list[str]:
        settings = self._dialect.environment(
            self._asker.device, self._asker.catalogue.environment, self._source.imports
        )
        lines = [f'os.environ["{name}"] = {_quoted(value)}' for name, value in settings.items()]
        return [*lines, *(f"sys.path.insert(0, {_quoted(it)})" for it in self._source.folders)]

    def _arrays(self) -> Iterator[str]:
        # Cotangent and direction are those of the judgement, rounded to the dtype of the values.
        named = dict(zip(self._asked.arrays, self._given(), strict=True))
        dtype = self._inputs.values.dtype
        shape = result_shape(self._case)
        if self._dialect.names_cotangent(self._asked):
            named["cotangent"] = self._case.cotangent(shape).astype(dtype)
        if self._asked.wants_second:
            named["direction"] = self._case.direction().astype(dtype)
        for name, array in named.items():
            yield f"{name} = {array_text(array, self._dialect, self._asker.device)}"

    def _given(self) -> Iterator[NDArray[Any]]:
        for name in ARGUMENTS:
            array = getattr(self._inputs, name)
            if array is not None:
                yield array

    # --- the call, and the comparison of what it gives

    def _shown(self) -> list[str]:
        call, word = self._dialect.call_lines(self._asked), self._verdict.kind.word
        undivided = call[1:] if call[0] == "" else call
        # A call that ends or stops the script must be announced before it is made; an error must be
        # caught around it; anything else is compared after it.
        if word in ("crashed", "timed out"):
            return self._crashing(call) if word == "crashed" else self._timed(call)
        if word == "raised" or self._verdict.convention == "dtypes_refused":
            return self._raising(undivided)
        if self._question.solution.refusal:
            return self._accepting(undivided)
        is_of_another_dtype = isinstance(self._verdict.detail, DtypeMismatch)
        if word == "mismatched" or is_of_another_dtype:
            return [*call, "", *self._mismatch()]
        return [*call, "", *self._compared()]

    def _crashing(self, call: list[str]) -> list[str]:
        return [
            f'print("the next call {_note(self._verdict)}", flush=True)',
            *call,
            *_ends("not reproduced: the process is still there", 1),
        ]

    def _timed(self, call: list[str]) -> list[str]:
        # A thread ends the script: a call that hangs in compiled code lets no signal handler run.
        return [
            "",
            "",
            "def give_up():",
            f'    print("reproduced: nothing came back within {_HANGS} s", flush=True)',
            "    os._exit(0)",
            "",
            "",
            f"timer = threading.Timer({_HANGS}, give_up)",
            "timer.daemon = True",
            "timer.start()",
            *call,
            *_ends("not reproduced: an answer came back", 1),
        ]

    def _raising(self, call: list[str]) -> list[str]:
        assert isinstance(self._verdict.detail, Failure)  # noqa: S101 -- or nothing was raised
        kind = self._verdict.detail.error
        return [
            "try:",
            *(f"    {line}".rstrip() for line in call),
            "except BaseException as error:",
            '    print(f"raised {error!r}")',
            f'    if type(error).__name__ == "{kind}":',
            *(f"        {line}" for line in _ends(f"reproduced: {self._verdict.word}", 0)),
            *(f"    {line}" for line in _ends("not reproduced: another error", 1)),
            'print("got", got)',
            *_ends("not reproduced: nothing was raised", 1),
        ]

    def _accepting(self, call: list[str]) -> list[str]:
        return [
            "try:",
            *(f"    {line}".rstrip() for line in call),
            "except Exception as error:",
            '    print(f"raised {error!r}")',
            *(f"    {line}" for line in _ends("not reproduced: an error was due, and came", 1)),
            f'print("an error is due: {self._question.solution.refusal}")',
            'print("got", got)',
            *_ends(f"reproduced: {self._verdict.word}", 0),
        ]

    def _mismatch(self) -> list[str]:
        names: dict[str, str] = {it: name for name, it in LINEAR_GRADIENTS.items()}
        names[GRADIENT_TARGET] = "target"
        due = getattr(self._inputs, names.get(self._point.quantity, "values"))
        assert due is not None  # noqa: S101 -- or it would have no gradient
        shape = result_shape(self._case) if self._point.quantity == "value" else due.shape
        return [
            f'DUE = ("{due.dtype.name}", {shape})',
            'dtype = getattr(got, "dtype", None)',
            f"dtype = {self._dialect.dtype_name}",
            'found = (dtype, tuple(getattr(got, "shape", ())))',
            'print(f"got {type(got).__name__} of dtype and shape {found}, due {DUE}")',
            "if found != DUE:",
            *(f"    {line}" for line in _ends(f"reproduced: {self._verdict.word}", 0)),
            *_ends("not reproduced: dtype and shape are right", 1),
        ]

    def _compared(self) -> list[str]:
        word, dtype = self._verdict.word, self._case.dtype
        mark = "no agreed answer" if _kind(word) == "undefined" else "wrong"
        return [
            "# Index, exact value (to 17 digits), bound, and what came back. The bound is the",
            f"# largest error of a sound computation in {dtype} on these inputs.",
            "DUE = [",
            *(
                f"    ({index}, {exact}, {bound}, {got}),"
                for index, exact, bound, got in self._due()
            ),
            "]",
            f"got = {self._dialect.to_float64}",
            "wrong, same = 0, True",
            "for index, exact, bound, before in DUE:",
            "    number = float(got[index])",
            f"    is_wrong = {_IS_WRONG[_kind(word)]}",
            "    wrong += is_wrong",
            "    same &= repr(number) == repr(float(before))",
            f'    mark = "  <-- {mark}" if is_wrong else ""',
            f"    at = f\"{self._point.quantity}{{list(index) or ''}}\"",
            '    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")',
            'bits = "the same bits" if same else "other bits than when this was written"',
            "if wrong:",
            f'    print(f"reproduced: {word}, {{bits}}")',
            "else:",
            '    print("not reproduced")',
            "sys.exit(0 if wrong else 1)",
        ]

    def _due(self) -> Iterable[tuple[str, str, str, str]]:
        """Return index, exact value, bound and answer as text for the elements to compare.

        Raises:
            SessionError: the framework gives no answer this time.
        """
        answer = self._asker.answer(self._case, self._point)
        if isinstance(answer, Failure):
            raise SessionError(f"the answer does not come a second time: {answer.message}")
        solution = self._question.solution
        exact = np.asarray(solution.quantities[self._point.quantity].to_float())
        bound = self._question.bound(solution, self._point.quantity, SOUND)
        assert bound is not None  # noqa: S101 -- pairwise sums are never vacuous here
        form = format_of(answer.dtype)
        if form is not None:  # beyond the range of the format, the expected value is an infinity
            rounded = form.round(exact).astype(np.float64)
            exact = np.where(np.isinf(rounded), rounded, exact)
        got = answer.astype(np.float64)
        for index in _shown_of(got, exact, bound):
            yield (
                repr(index),
                *(
                    _number(float(array[index]))
                    for array in (exact, bound.reshape(exact.shape), got)
                ),
            )  # type: ignore[misc]


_IS_WRONG = {
    "numbers": "np.isfinite(number) and not abs(number - exact) <= bound",
    "nonfinite": "number != exact and not (np.isfinite(number) and np.isfinite(exact))",
    "undefined": "repr(number) == repr(float(before))  # no agreed answer",
}


def _kind(word: str) -> str:
    """Return the key of `_IS_WRONG` for a verdict."""
    if word.startswith(UNDEFINED):
        return "undefined"
    return "nonfinite" if word == "nonfinite" else "numbers"


def _shown_of(got: NDArray[Any], exact: NDArray[Any], bound: NDArray[Any]) -> list[tuple[int, ...]]:
    """Return the indices of all elements, or of those with the largest errors in bounds."""
    # A NaN, or an infinity that is not expected, comes first; equal infinities have no error.
    with np.errstate(all="ignore"):
        error = np.abs(got - exact) / bound.reshape(exact.shape)
    error = np.where(got == exact, 0.0, np.where(np.isnan(error), np.inf, error))
    order = np.argsort(-error, axis=None, kind="stable")
    flat = sorted(order[: _WORST if got.size > _ALL else None].tolist())
    return [tuple(map(int, np.unravel_index(at, got.shape))) for at in flat]


def _number(number: float) -> str:
    if np.isnan(number):
        return "np.nan"
    if np.isinf(number):
        return "np.inf" if number > 0 else "-np.inf"
    return repr(number)


def _ends(message: str, status: int) -> list[str]:
    return [f'print("{message}")', f"sys.exit({status})"]


def _note(verdict: Verdict) -> str:
    status = verdict.detail.status if isinstance(verdict.detail, Failure) else None
    return f"is said to kill the process (status {status})"


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line


def _is_standard(line: str) -> bool:
    return line.split()[1].partition(".")[0] in sys.stdlib_module_names


def _quoted(value: str) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _printable(line: str) -> str:
    """Return an error message with line ends and control characters escaped, for a comment."""
    return printable(line).replace("\n", "\\n").replace("\t", "\\t")
