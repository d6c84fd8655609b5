"""The verdicts: one enumeration of what can be said of an answer.

A verdict is stored as a text: the word of its kind, followed by `:NAME` where a convention, a
relation or an argument is named (`convention:mean_over_rows`, `mutates:logits`). To add a verdict,
add a member to `VerdictKind`, at the place where its severity belongs, and its sign to `_SIGNS` in
`reports.legend`.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from .answers import OtherCall

Category = Literal["agrees", "explained", "finding", "unsupported"]

CONVENTION = "convention:"
UNWANTED = "unwanted:"
RELATION = "relation:"
MUTATES = "mutates:"
UNDEFINED = "convention:undefined_"
NO_AGREED_ANSWER = "no agreed answer"  # stands where an exact value would


class VerdictKind(Enum):
    """The kinds of verdicts, from the mildest to the most severe.

    A silent wrong answer is more severe than a loud error, and a process that dies takes the
    answers of others with it.

    Attributes:
        word: how the kind is stored and shown.
        category: whether it agrees, is explained, is a finding, or says nothing about quality.
        meaning: one line for readers.
        rank: its place among all kinds; a larger one is more severe.
    """

    UNSUPPORTED = "unsupported", "unsupported", "not claimed: no verdict on quality"
    EXACT = "exact", "agrees", "the correctly rounded value"
    FAITHFUL = "faithful", "agrees", "less than 1 ulp away"
    WITHIN_BOUND = (
        "within bound", "agrees",
        "no further away than a sound algorithm in this dtype can be",
    )  # fmt: skip
    REFUSED = "refused", "agrees", "an error, where an error is the right answer"
    FLUSHED = "flushed", "explained", "a subnormal result was flushed to zero"
    ORDER = "order", "explained", "explained by a long sequential sum"
    FORMULA = "formula", "explained", "explained by a form that loses digits, such as lse - x"
    NARROW = "narrow", "explained", "explained by accumulating in the 16-bit dtype itself"
    CONVENTION = (
        "convention", "explained",
        "another documented convention, under which it is no finding",
    )  # fmt: skip
    NONDETERMINISTIC = (
        "nondeterministic", "explained", "the same call gave other bits the second time",
    )  # fmt: skip
    UNWANTED = (
        "unwanted", "finding",
        "another documented convention, which the project does not take",
    )  # fmt: skip
    RAISED = "raised", "finding", "an error where the contract gives a number"
    TIMED_OUT = "timed out", "finding", "no answer in time"
    MISMATCHED = "mismatched", "finding", "wrong dtype, shape or structure"
    ACCEPTED = "accepted", "finding", "a number where the contract demands an error"
    RELATION = "relation", "finding", "a relation that every right answer obeys does not hold"
    NONFINITE = (
        "nonfinite", "finding",
        "NaN or inf where the exact value is representable, or the other way round",
    )  # fmt: skip
    INACCURATE = "inaccurate", "finding", "finite and wrong, beyond every bound"
    MUTATES = "mutates", "finding", "the call wrote to an array that it was given"
    SPOILS = "spoils", "finding", "the call changed what later answers in its process depend on"
    CRASHED = "crashed", "finding", "the process died"

    word: str
    category: Category
    meaning: str
    rank: int

    def __init__(self, word: str, category: Category, meaning: str) -> None:
        self.word, self.category, self.meaning = word, category, meaning
        self.rank = len(type(self).__members__)


VERDICTS: dict[str, VerdictKind] = {kind.word: kind for kind in VerdictKind}

AGAIN, THREADS = "again", "threads"
# The registry of relations: names, and what must hold. The first are metamorphic relations, whose
# names follow `relation:`; see `harness.relations.metamorphic`.
RELATION_MEANINGS: dict[str, str] = {
    "shift": "adding one number to all logits of a row changes nothing, and logsumexp by that "
    "number",
    "permutation": "the order of the classes does not matter",
    "sums": "probabilities of a row sum to 1, its gradients with respect to logits to 0",
    "split": "a batch in two parts gives what it gives as a whole",
    "rows": "the order of the rows does not matter",
    "alone": "a row alone gives what it gives in its batch",
    "padding": "rows added at the end, ignored ones of a loss, change nothing",
    "one_hot": "an index target gives what its one-hot encoding gives",
    "reflection": "σ(x) + σ(−x) = 1, and what follows for log σ and the binary losses",
}
# The same question, put in another way; see `harness.workers.other_calls`.
WITH_GRADIENT: OtherCall = "with_gradient"
SECOND_BACKWARD: OtherCall = "second_backward"
OTHER_CALL_MEANINGS: dict[str, str] = {
    WITH_GRADIENT: "the value is as right where no gradient is wanted as where one is",
    SECOND_BACKWARD: "a second backward pass through the same graph gives the gradient again",
}
# Verdicts on digits that are lost for a known reason.
LOST_DIGITS = frozenset({VerdictKind.ORDER, VerdictKind.FORMULA, VerdictKind.NARROW})
# Repetitions must give the same bits, or are `nondeterministic`.
REPETITION_MEANINGS: dict[str, str] = {
    AGAIN: "the same call a second time, in the same process",
    THREADS: "the same call in another process, with one thread",
}
# Equivalences are two routes to one number; see `harness.relations.equivalences`.
EQUIVALENCE_MEANINGS: dict[str, str] = {
    "sigmoid_softmax": "sigmoid(z) = softmax([0, z])",
    "nll_of_log_softmax": "nll_loss(log_softmax(x)) = cross_entropy(x)",
    "index_one_hot": "index target = its one-hot encoding",
}
_EQUIVALENCES_BY_MEANING = {meaning: name for name, meaning in EQUIVALENCE_MEANINGS.items()}


def kind_of(verdict: str) -> VerdictKind:
    """Return the kind of a stored verdict.

    >>> kind_of("convention:mean_over_rows").category
    'explained'

    Raises:
        KeyError: there is no such verdict.
    """
    return VERDICTS[verdict.partition(":")[0]]


def is_finding(verdict: str) -> bool:
    """Return whether a stored verdict is a finding.

    >>> is_finding("relation:shift")
    True
    """
    return kind_of(verdict).category == "finding"


def equivalence_of(relation: str) -> str:
    """Return the name of an equivalence; empty for other relations.

    Some run files hold the meanings in place of the names.

    >>> equivalence_of("sigmoid(z) = softmax([0, z])")
    'sigmoid_softmax'
    """
    name = _EQUIVALENCES_BY_MEANING.get(relation, relation)
    return name if name in EQUIVALENCE_MEANINGS else ""
