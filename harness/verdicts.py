"""The verdicts: one word for each judged quantity, in the order in which they are tried."""

from __future__ import annotations

from typing import Literal

Standing = Literal["agrees", "explained", "finding", "unsupported"]

CONVENTION = "convention:"
RELATION = "relation:"
UNDEFINED = "convention:undefined_"

STANDINGS: dict[str, Standing] = {
    "exact": "agrees",
    "faithful": "agrees",
    "within bound": "agrees",
    "refused": "agrees",
    "flushed": "explained",
    "order": "explained",
    "formula": "explained",
    "narrow": "explained",
    "convention": "explained",
    "nondeterministic": "explained",
    "relation": "finding",
    "inaccurate": "finding",
    "nonfinite": "finding",
    "accepted": "finding",
    "raised": "finding",
    "mismatched": "finding",
    "crashed": "finding",
    "timed out": "finding",
    "unsupported": "unsupported",
}

MEANINGS: dict[str, str] = {
    "exact": "the correctly rounded value",
    "faithful": "less than 1 ulp away",
    "within bound": "no further away than a sound algorithm in this dtype can be",
    "refused": "an error, where an error is the right answer",
    "flushed": "a subnormal result was flushed to zero",
    "order": "explained by a long sequential sum",
    "formula": "explained by a form that loses digits, such as lse - x",
    "narrow": "explained by accumulating in the 16-bit dtype itself",
    "convention": "another documented convention, under which it is no finding",
    "nondeterministic": "the same call gave other bits the second time",
    "relation": "a relation that every right answer obeys does not hold",
    "inaccurate": "finite and wrong, beyond every bound",
    "nonfinite": "NaN or inf where the exact value is representable, or the other way round",
    "accepted": "a number where the contract demands an error",
    "raised": "an error where the contract gives a number",
    "mismatched": "wrong dtype, shape or structure",
    "crashed": "the process died",
    "timed out": "no answer in time",
    "unsupported": "not claimed: no verdict on quality",
}

# What must hold, by the name in `relation:NAME`; see `harness.relations.metamorphic`.
RELATION_MEANINGS: dict[str, str] = {
    "shift": "adding one number to all logits of a row changes nothing, and logsumexp by that "
    "number",
    "permutation": "the order of the classes does not matter",
    "sums": "probabilities of a row sum to 1, its gradients by logits to 0",
    "split": "a batch in two parts gives what it gives as a whole",
    "one_hot": "an index target gives what its one-hot encoding gives",
    "reflection": "σ(x) + σ(−x) = 1, and what follows for log σ and the binary losses",
}

# From best to worst: a silent wrong answer is worse than a loud error.
_ORDER = (
    "unsupported", "exact", "faithful", "within bound", "refused", "flushed", "order", "formula",
    "narrow", "convention", "nondeterministic", "raised", "timed out", "mismatched", "accepted",
    "relation", "nonfinite", "inaccurate", "crashed",
)  # fmt: skip
SEVERITY: dict[str, int] = {name: rank for rank, name in enumerate(_ORDER)}


def base(verdict: str) -> str:
    """Return the verdict without the name of its convention or relation."""
    return verdict.partition(":")[0]


def standing(verdict: str) -> Standing:
    """Return whether a verdict agrees, is explained, is a finding, or none of these."""
    return STANDINGS[base(verdict)]
