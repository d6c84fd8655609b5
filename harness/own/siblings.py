"""Say which other operations a loss may be whose name does not decide it.

A name says neither whether a loss takes logits, probabilities or their logarithms, nor whether a
`log_loss` is one of two classes or of many. The plain question tells.
"""

from __future__ import annotations

from ...cases.operations import OPERATIONS
from .parameters import FIRM
from .signature import Reading
from .taken import Candidate

# All that a function may be in place of what its name says.
SIBLINGS: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("cross_entropy_probs", "nll_loss"),
    "cross_entropy_probs": ("cross_entropy",),
    "nll_loss": ("cross_entropy",),
    "binary_cross_entropy_with_logits": ("binary_cross_entropy",),
    "binary_cross_entropy": ("binary_cross_entropy_with_logits", "cross_entropy_probs"),
}
_TAKES = {"logits": "logits", "probs": "probabilities", "log_probs": "log-probabilities"}
_LOG_PROBS = frozenset(
    it for it in FIRM["values"] if it.startswith(("logp", "log_p", "lprob", "log_softmax"))
)


def siblings_of(candidate: Candidate, reading: Reading) -> tuple[str, ...]:
    """Return the operations that a candidate may be besides the one that its name says.

    Scores that are only indexed, without their softmax, are a mistake of a cross-entropy, and no
    `nll_loss`, unless their name says that they are log-probabilities.

    Args:
        candidate: the function; what is declared of it is not doubted.
        reading: its signature, as that of the operation of its name.
    """
    if candidate.declaration.operation:
        return ()
    found = SIBLINGS.get(candidate.operation, ())
    if "log_loss" not in candidate.name.lower():
        found = tuple(it for it in found if _is_binary(it) is _is_binary(candidate.operation))
    if reading.values.lower().strip("_") not in _LOG_PROBS:
        found = tuple(it for it in found if it != "nll_loss")
    return found


def _is_binary(operation: str) -> bool:
    return not OPERATIONS[operation].reads_classes


def what_it_takes(operation: str, named: str) -> str:
    """Return in words what a function takes that is another operation than its name says.

    >>> what_it_takes("cross_entropy_probs", "binary_cross_entropy")
    'it is a loss over classes, and takes probabilities'
    """
    takes = f"takes {_TAKES[OPERATIONS[operation].domain]}"
    is_other = _is_binary(operation) is not _is_binary(named)
    return f"it is a loss over classes, and {takes}" if is_other else f"it {takes}"
