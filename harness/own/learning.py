"""Learn what a user's function does from calls with plain questions.

The signature says what a function is called with. What it returns, which kinds of target it takes,
and which dtypes and numbers of axes, only a call can say.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...backends.base import Backend, Implementation
from ...backends.claim import Calling, Claim, Layout
from ...cases.model import Case
from ...cases.operations import OPERATIONS, Options, Reduction, TargetKind
from ..answers import one_line
from .callables import backward_needs
from .calling import bound, gradient_of
from .extent import Extent
from .more_axes import stances_of
from .parameters import FLAGS, OPTIONS, SPELLINGS
from .plain_question import REDUCTIONS, Array, Asker, Guess, Reply, exact_value, reduced
from .siblings import siblings_of, what_it_takes
from .signature import Reading, read
from .taken import Candidate, Failed, Left, Taken
from .tracebacks import own_traceback

_SAME = 0.03  # the logarithm of a ratio that roundings explain
_SCALARS: tuple[Reduction, ...] = ("mean", "sum")
_MORE_ROWS = 16  # times as many
_NONSENSE = "lossdiff_unknown"  # a keyword that no function has
_MADE = {"mean": "the mean of the losses", "sum": "the sum of the losses", "none": "a loss each"}


def learn(candidate: Candidate, backend: Backend) -> Taken | Left | Failed:
    """Learn how a candidate is called and what it claims.

    Args:
        candidate: the function, which is called some dozens of times.
        backend: its framework.

    Returns:
        The function as an implementation; or why it is not taken; or the traceback of its error
        where it does not answer one plain question.
    """
    reading = read(candidate)
    if reading.lacks:
        needed = " and ".join(reading.lacks)
        return Left(candidate.name, f"it needs {needed}, and no option or array has that name")
    if reading.beyond:
        made = " and ".join(reading.beyond)
        return Left(candidate.name, f"it is made with {made}")
    with warnings.catch_warnings(), backend.hurried():
        warnings.simplefilter("ignore")
        return _Learner(candidate, backend, reading).result()


class _Learner:
    """Asks one function, and collects what its user should know."""

    def __init__(self, candidate: Candidate, backend: Backend, reading: Reading) -> None:
        self._candidate, self._backend, self._reading = candidate, backend, reading
        self._readings = {candidate.operation: reading}
        for other in siblings_of(candidate, reading):
            self._readings[other] = read(replace(candidate, operation=other))
        if reading.prefers_logits is (OPERATIONS[candidate.operation].domain != "logits"):
            self._readings = dict(reversed(self._readings.items()))
        allowed = candidate.declaration.limits.dtypes or set(backend.description.dtypes)
        usual = ("float32", "float64", "bfloat16", "float16")
        dtype = next(it for it in usual if it in allowed)
        self._asker = Asker(candidate, backend, reading.required, dtype)
        self._limits = candidate.declaration.limits
        self._remarks: list[str] = []

    def result(self) -> Taken | Left | Failed:
        """Return what was learnt."""
        guess, reply = self._guessed()
        self._reading = self._readings[guess.operation]
        self._remarks[:0] = self._reading.remarks
        if needed := " and ".join(backward_needs(self._candidate.function)):
            self._remarks.append(f"its backward needs {needed}: only its value is judged")
        self._limits = replace(self._limits, clip=self._limits.clip or self._reading.clip)
        if reply.error is not None:
            guess, reply = self._with_numbers(guess, reply)
        if reply.error is not None:
            return self._failed(guess, reply.error)
        guess = self._with_returns(guess, reply)
        guess = self._with_forwarded(guess)
        guess = self._with_reduction(guess)
        extent = Extent(self._asker, self._limits, self._declared(guess.operation))
        guess, targets, limits = extent.of(guess)
        limits = replace(limits, fixed=guess.fixed, required=self._reading.required)
        claim = Claim(
            name=self._candidate.name,
            framework=self._backend.framework,
            operation=guess.operation,
            kind="user",
            targets=targets,
            options=frozenset(option for option, _ in guess.calling.options),
            limits=limits,
        )
        function, backend = self._candidate.function, self._backend
        implementation = Implementation(
            claim,
            bound(function, guess.calling, backend),
            gradient_of(self._candidate, guess.calling, backend),
            guess.calling,
        )
        return Taken(implementation, (*self._remarks, *extent.remarks))

    def _failed(self, guess: Guess, error: BaseException) -> Failed:
        case = self._asker.case(guess)
        target = f", {case.target_kind} target" if case.target_kind else ""
        question = (
            f"{guess.operation} of {case.dtype}, shape {'x'.join(map(str, case.sizes))}{target}"
        )
        operation = self._candidate.operation
        shown, hint = own_traceback(error), self._backend.hint(error)
        return Failed(self._candidate.name, operation, question, shown, hint)

    def _with_numbers(self, guess: Guess, reply: Reply) -> tuple[Guess, Reply]:
        """Return the guess with numbers in place of None, where its own default is an error."""
        words = [it for it in guess.calling.spelling if it[2] is None]
        if not words or reply.error is None:
            return guess, reply
        before = self._readings
        self._readings = {name: _without_words(it) for name, it in before.items()}
        numbers, again = self._guessed()
        if again.error is not None:
            self._readings = before
            return guess, reply
        names = dict(guess.calling.options)
        for option, number, _ in words:
            own = f"its own default {names[option]}=None raises {one_line(reply.error)}"
            self._remarks.append(f"{own}: {number!r} is passed")
        return numbers, again

    # --- the first question

    def _guessed(self) -> tuple[Guess, Reply]:
        """Return the first guess whose answer is near the exact one; else the likeliest guess.

        That is one whose answer a usual mistake gives, or else one whose answer has the shape of a
        loss.
        """
        found = self._likeliest(self._tried(self._asker), self._asker)
        if not self._is_a_loss(*found, self._asker):
            found = self._with_more_axes(found)
        found = self._of_logits(*found)
        self._say(found[0])
        return found

    def _tried(self, asker: Asker, layout: Layout | None = None) -> list[tuple[Guess, Reply]]:
        """Return guesses and their answers, up to the first one that is near the exact answer."""
        tried: list[tuple[Guess, Reply]] = []
        for guess in self._guesses():
            calling = replace(guess.calling, layout=layout or guess.calling.layout)
            for spelled in self._spelled(replace(guess, calling=calling), "mean"):
                tried.append((spelled, asker.ask(spelled)))
                if tried[-1][1].is_near:
                    return tried
        return tried

    def _likeliest(self, tried: list[tuple[Guess, Reply]], asker: Asker) -> tuple[Guess, Reply]:
        if tried[-1][1].is_near:
            return tried[-1]
        answered = [it for it in tried if it[1].error is None]
        shaped = [it for it in answered if self._is_a_loss(*it, asker)]
        known = (it for it in shaped if len(self._readings) > 1 and asker.recognises(*it))
        return next(known, (shaped or answered or tried)[0])

    def _with_more_axes(self, plain: tuple[Guess, Reply]) -> tuple[Guess, Reply]:
        """Return the likeliest guess of three or four axes, with which all else is asked.

        That is the one of two axes where no other gives a loss, or where that of two axes answers
        and no other is right.

        Args:
            plain: the likeliest guess of two axes, which gives no loss.
        """
        limits, layout = self._limits, plain[0].calling.layout
        found = []
        for stance in stances_of(OPERATIONS[plain[0].operation], limits, layout):
            asker = replace(self._asker, shape=stance.shape)
            guess, reply = self._likeliest(self._tried(asker, stance.layout), asker)
            if reply.is_near:
                found = [(stance, asker, guess, reply)]
                break
            if plain[1].error is not None and self._is_a_loss(guess, reply, asker):
                found.append((stance, asker, guess, reply))
        if not found:
            return plain
        known = (it for it in found if len(found) > 1 and it[1].recognises(*it[2:]))
        stance, self._asker, guess, reply = next(known, found[0])
        self._limits = replace(limits, ranks=limits.ranks or frozenset({len(stance.shape)}))
        self._remarks.append(stance.remark)
        return guess, reply

    def _of_logits(self, guess: Guess, reply: Reply) -> tuple[Guess, Reply]:
        """Return the guess of a cross-entropy for a loss of log-probabilities that takes logits.

        The softmax of log-probabilities changes nothing, so that only logits tell the two apart.
        """
        if not reply.is_near or guess.operation != "nll_loss":
            return guess, reply
        if "cross_entropy" not in self._readings:
            return guess, reply
        other = replace(guess, operation="cross_entropy")
        again = self._asker.ask(other)
        return (other, again) if again.is_near else (guess, reply)

    def _guesses(self) -> Iterator[Guess]:
        for operation, reading in self._readings.items():
            if reading.lacks:
                continue
            for calling in self._callings(operation, reading):
                for kind in self._kinds(operation):
                    yield Guess(operation, kind, calling, reading.fixed)
        for operation, reading in self._readings.items():
            is_open = operation == "cross_entropy" and not reading.lacks
            if is_open and "index" in self._kinds(operation):
                calling = next(self._callings(operation, reading))
                yield Guess(operation, "index", replace(calling, shifts=True), reading.fixed)

    def _callings(self, operation: str, reading: Reading) -> Iterator[Calling]:
        """Yield the ways in which the function may be called."""
        is_logits = OPERATIONS[operation].domain == "logits"
        always = tuple(
            (name, is_logits if isinstance(value, bool) else value)
            for name, value in reading.calling.always
        )
        calling = replace(reading.calling, always=always)
        yield calling
        if reading.may_swap:
            yield _swapped(calling)
        # A function of C does not say its parameters, and may need the axis.
        if reading.is_silent and "axis" in OPERATIONS[operation].options:
            for name in OPTIONS["axis"][:2]:
                yield replace(calling, options=(("axis", name),))

    def _kinds(self, operation: str) -> list[TargetKind | None]:
        contract, declared = OPERATIONS[operation], self._declared(operation)
        if not contract.is_loss:
            return [None]
        return [it for it in contract.targets if declared is None or it in declared]

    def _declared(self, operation: str) -> frozenset[str] | None:
        """Return the kinds of target that are said, if an operation has one of them."""
        said = self._candidate.declaration.targets
        return said if said and said & set(OPERATIONS[operation].targets) else None

    def _say(self, guess: Guess) -> None:
        """Say what was found out that the names did not say."""
        if guess.operation != self._candidate.operation:
            self._remarks.append(what_it_takes(guess.operation, self._candidate.operation))
        is_first = guess.calling.arguments[0][0] == "target"
        if guess.calling.shifts:
            self._remarks.append("it compares each row of scores with the label of the next one")
        if self._reading.may_swap and is_first:
            self._remarks.append("it takes the labels first")

    def _is_a_loss(self, guess: Guess, reply: Reply, asker: Asker) -> bool:
        """Return whether an answer has the shape of the losses, or of one number for them."""
        if reply.value is None:
            return False
        case = asker.case(guess)
        return reply.value.shape in {exact_value(reduced(case, it)).shape for it in REDUCTIONS}

    # --- what else it returns and takes

    def _with_returns(self, guess: Guess, reply: Reply) -> Guess:
        if reply.item:
            self._remarks.append(f"of the dictionary that it returns, {reply.item!r} is taken")
            guess = replace(guess, calling=replace(guess.calling, item=reply.item))
        if reply.returns == "value" or reply.item:
            return guess
        if reply.returns == "value_and_more":
            self._remarks.append("of the tuple that it returns, the first is taken")
        elif self._backend.description.has_handwritten_gradients:
            self._remarks.append("it returns the value and its gradient")
        return replace(guess, calling=replace(guess.calling, returns="value_and_gradient"))

    def _with_forwarded(self, guess: Guess) -> Guess:
        """Find out which options `**kwargs` take."""
        contract = OPERATIONS[guess.operation]
        lacking = [it for it in contract.options if it not in guess.options]
        if not self._reading.forwards or not lacking:
            return guess
        if self._asker.ask(guess, extra={_NONSENSE: 0}).error is None:
            self._remarks.append("any keyword that it takes besides is left alone")
            return guess
        found = [
            (it, it)
            for it in lacking
            if self._asker.ask(guess, extra={it: getattr(Options(), it)}).error is None
        ]
        calling = replace(guess.calling, options=(*guess.calling.options, *found))
        return replace(guess, calling=calling)

    def _spelled(self, guess: Guess, reduction: Reduction) -> Iterator[Guess]:
        """Yield the guess with each spelling of a reduction that the function may have."""
        if "reduction" not in dict(guess.calling.options):
            yield guess
            return
        for own in SPELLINGS[reduction]:
            spelling = (*guess.calling.spelling, ("reduction", reduction, own))
            yield replace(guess, calling=replace(guess.calling, spelling=spelling))

    def _with_reduction(self, guess: Guess) -> Guess:
        """Find out which reductions it has, or which one it always makes."""
        if "reduction" not in OPERATIONS[guess.operation].options:
            return guess
        if "reduction" in dict(guess.fixed):
            return guess
        if "reduction" in guess.options:
            return self._with_spelling(self._with_spelling(guess, "none"), "sum")
        value = self._asker.ask(guess).value
        assert value is not None  # noqa: S101 -- it has answered this question before
        made = _reduction_of(value, guess, self._asker)
        self._remarks.append(f"it has no `reduction`: it returns {_MADE[made]}")
        return replace(guess, fixed=(*guess.fixed, ("reduction", made)))

    def _with_spelling(self, guess: Guess, reduction: Reduction) -> Guess:
        replies = [
            (it, self._asker.ask(it, self._asker.case(it, reduction=reduction)))
            for it in self._spelled(guess, reduction)
        ]
        fitting = [it for it, reply in replies if reply.is_near]
        answered = [it for it, reply in replies if reply.error is None]
        # A flag such as `size_average` has no third value: what it gives then is no mistake.
        is_flag = dict(guess.calling.options)["reduction"] in FLAGS
        if fitting or (answered and not is_flag):
            return (fitting or answered)[0]
        error = replies[0][1].error
        why = "" if error is None else f": {one_line(error)}"
        self._remarks.append(f"it has no reduction {reduction!r}{why}")
        lacks = (*self._limits.lacks, ("reduction", reduction))
        self._limits = replace(self._limits, lacks=lacks)
        return guess


def _without_words(reading: Reading) -> Reading:
    """Return a reading without the function's own word for doing nothing, None."""
    spelling = tuple(it for it in reading.calling.spelling if it[2] is not None)
    return replace(reading, calling=replace(reading.calling, spelling=spelling))


def _swapped(calling: Calling) -> Calling:
    """Return the calling with the arrays in each other's places."""
    roles = [role for role, _ in calling.arguments]
    names = [name for _, name in calling.arguments]
    return replace(calling, arguments=tuple(zip(reversed(roles), names, strict=True)))


def _reduction_of(value: Array, guess: Guess, asker: Asker) -> Reduction:
    """Return the reduction that a loss without this option makes."""
    case = asker.case(guess)
    losses = exact_value(reduced(case, "none"))
    if value.shape != () and value.shape == losses.shape:
        return "none"
    if not value.size:
        return "mean"
    off = _distances(value, case)
    if abs(off["mean"]) < _SAME:
        return "mean"
    # A wrong loss may be near neither, or a wrong mean near the sum: of more rows a sum grows.
    longer = asker.case(guess, (_MORE_ROWS * asker.shape[0], *asker.shape[1:]))
    more = asker.ask(guess, longer).value
    if more is not None and more.shape == ():
        grown = _distances(more, longer)
        off = {it: grown[it] - off[it] for it in off}
    return "sum" if abs(off["sum"]) < abs(off["mean"]) else "mean"


def _distances(value: Array, case: Case) -> dict[Reduction, float]:
    """Return the logarithms of how many times a value is the mean, and the sum, of the losses."""
    with np.errstate(all="ignore"):
        got = abs(float(value.astype(np.float64).ravel()[0]))
        exact = {it: exact_value(reduced(case, it)) for it in _SCALARS}
        return {it: float(np.log(got / abs(float(size)))) for it, size in exact.items()}
