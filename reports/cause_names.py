"""Name the causes of findings on users' functions, in words that such findings share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ..harness.judging import MEANINGS, NAN_OF_IGNORED, OR
from ..harness.runfile import VerdictRow
from ..harness.verdicts import CONVENTION, UNWANTED, kind_of
from .factors import by_one_factor, is_factor

NOT_IMPLEMENTED = "NotImplementedError"
SECOND = "hvp_logits"  # the quantity that tells a second derivative
_NUMBER = re.compile(r"(?<![A-Za-z_0-9.])[-+]?\d[\d.e+-]*")
EXPLAINED = {
    "formula": "formula: digits are lost to cancellation, as in logsumexp − x",
    "order": "order: one long sum, where partial sums would lose less",
    "narrow": "narrow: sums in the 16-bit dtype itself",
}
LOOKS = "looks like: "
# What explains an error that a mistake of the function has made.
_NO_LARGER = {
    "formula": "cancellation", "order": "one long sum", "narrow": "a sum in the 16-bit dtype",
}  # fmt: skip
# The words by which the name of a mistake shows that it is about an option.
_WORDS = {
    "label_smoothing": ("smooth", "ε"), "ignore_index": ("ignore",),
    "logit_softcap": ("softcap", "the cap"),
}  # fmt: skip
_FEW = 3  # findings that one name of a mistake may explain without being an accident
_NUMBERS = "; its numbers"  # what a note says of them is no cause of its own
_SHARE = 0.05  # of the findings that a name has to explain, if they are many


def by_mistake(
    rows: Sequence[VerdictRow], partly: Collection[str] = ()
) -> tuple[dict[str, list[VerdictRow]], list[VerdictRow]]:
    """Return findings by the mistake that they look like, and those that look like none.

    Where one answer looks like several mistakes, the one that explains the most findings is named.
    Of equal ones it is the one about an option that all these findings have: a mistake about
    nothing that they have in common would show in other questions, too. Constant factors that
    differ from question to question are one mistake.

    Args:
        rows: the findings on one function.
        partly: the options that some of its questions have, and others have not.
    """
    names = {id(row): row.looks_like.split(OR) for row in rows if row.looks_like}
    left = [row for row in rows if row.looks_like]
    named: dict[str, list[VerdictRow]] = {}
    least = max(1.0, _SHARE * len(rows)) if len(rows) > _FEW else 0.0
    while left:
        members: dict[str, list[VerdictRow]] = {}
        first: Counter[str] = Counter()
        for row in left:
            for place, name in enumerate(names[id(row)]):
                members.setdefault(name, []).append(row)
                first[name] -= place  # of equal ones the simpler one
        told = [it for it, rows in members.items() if len(rows) > least or any(map(_is_sure, rows))]
        if named and not told:
            break
        best = max(
            told or members,
            key=lambda it: (len(members[it]), _is_about(it, members[it], partly), first[it]),
        )
        mine = members[best]
        named[best] = mine
        left = [row for row in left if best not in names[id(row)]]
    for name in list(named):
        # What is 0 stays so, however many times too large it is.
        scaled = (it for it in named if it.startswith(f"{name}, ") and is_factor(it))
        larger = next(scaled, "")
        if larger:
            named[larger] += named.pop(name)
    joined = by_one_factor(named, left)
    found = {id(row) for members in joined.values() for row in members}
    return joined, [row for row in rows if id(row) not in found]


def _is_sure(row: VerdictRow) -> bool:
    """Return whether an answer is no single number that a mistake fits by accident."""
    is_no_loss = row.verdict == "inaccurate" and not row.target_kind
    return is_no_loss or row.looks_like == NAN_OF_IGNORED


def _is_about(name: str, rows: Iterable[VerdictRow], options: Iterable[str]) -> bool:
    """Return whether the name of a mistake is about an option that all of some findings have."""
    return any(
        all(option in row.options for row in rows)
        and any(word in name for word in _WORDS.get(option, (option,)))
        for option in options
    )


def without_consequences(
    named: dict[str, list[VerdictRow]],
    others: Iterable[VerdictRow],
    conventions: Iterable[VerdictRow],
) -> Iterator[VerdictRow]:
    """Yield findings that no named mistake makes; the others are added to theirs.

    A mistake whose answer is recognised also breaks relations, and the second derivative, on the
    same question. A gradient is a number where an error is due if the value follows a convention,
    and is wrong with it if the gradient is wrong elsewhere. An answer that is NaN or infinite where
    an error is due is so by a mistake that makes NaN or infinities elsewhere: no label is needed.
    """
    causes = {(row.case, row.mode): name for name, rows in named.items() for row in rows}
    of_gradient = [it for it, rows in named.items() if any(_is_gradient(row) for row in rows)]
    of_nan = {it: sum(row.verdict == "nonfinite" for row in rows) for it, rows in named.items()}
    makes_nan = max(of_nan, key=of_nan.__getitem__, default="")
    follows = {(it.case, it.mode) for it in conventions if it.quantity == "value"}
    for row in others:
        question = row.case, row.mode
        is_derived = row.quantity == SECOND or kind_of(row.verdict).word == "relation"
        if is_derived and question in causes:
            named[causes[question]].append(row)
        elif (
            row.verdict == "accepted" and _is_gradient(row) and of_gradient and question in follows
        ):
            named[of_gradient[0]].append(row)
        elif row.verdict == "accepted" and of_nan.get(makes_nan) and _is_not_finite(row):
            named[makes_nan].append(row)
        else:
            yield row


def _is_not_finite(row: VerdictRow) -> bool:
    """Return whether all numbers of an answer that are shown are NaN or infinite."""
    return bool(row.got) and not any(map(math.isfinite, map(float, row.got.split(", "))))


def _is_gradient(row: VerdictRow) -> bool:
    return row.quantity == "gradient_logits"


def grouped(
    rows: Iterable[VerdictRow], key: Callable[[VerdictRow], str]
) -> dict[str, list[VerdictRow]]:
    grouped: dict[str, list[VerdictRow]] = {}
    for row in rows:
        grouped.setdefault(key(row), []).append(row)
    return grouped


_SENTENCES = {
    "inaccurate": "a wrong number",
    "nonfinite": "NaN or infinity for a number, or the other way round",
    "accepted": "no error, where one is due",
    "crashed": "the process died",
    "timed out": "no answer in time",
}


def finding(row: VerdictRow, of_value: Collection[tuple[str, str]]) -> str:
    """Return a finding in words that other findings of the same cause share.

    Args:
        row: the finding.
        of_value: the questions whose value is a finding, which makes that of a gradient no other.
    """
    word = kind_of(row.verdict).word
    follows = row.quantity == "value" or (row.case, row.mode) in of_value
    name = "the second derivative" if row.quantity == SECOND else row.quantity
    quantity = "" if follows else f" in {name}"
    if word == "raised":
        return f"raises {message(row)}"
    if word == "unwanted":
        return convention(row)
    if word == "relation":
        return f"the relation {row.verdict.partition(':')[2]} does not hold{quantity}"
    if word in ("mismatched", "spoils") and row.note:
        return f"{word}{quantity}: {message(row).partition(_NUMBERS)[0]}"
    return _SENTENCES.get(word, row.verdict) + quantity


def message(row: VerdictRow) -> str:
    """Return the message of an error with … for its numbers, which depend on the case."""
    return _NUMBER.sub("…", row.note)


def explanation(row: VerdictRow) -> str:
    word = kind_of(row.verdict).word
    if row.looks_like:
        return f"{LOOKS}{row.looks_like}; no larger than {_NO_LARGER[word]} explains"
    return EXPLAINED[word]


def convention(row: VerdictRow) -> str:
    name = row.verdict.removeprefix(CONVENTION).removeprefix(UNWANTED)
    words = [MEANINGS.get(part, "a documented choice") for part in name.split("+")]
    return f"convention {name}: {'; '.join(words)}"


def not_claimed(row: VerdictRow) -> str:
    said = message(row).removeprefix(NOT_IMPLEMENTED).lstrip(": ")
    return f"says that it is not implemented: {said}" if said else "is not implemented"
