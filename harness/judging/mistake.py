"""Define a usual mistake: a change of the steps of a computation, and where it can be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...cases.model import Case
from ...cases.operations import OF_NUMBERS
from ..answers import GRADIENT_LOGITS, GRADIENT_TARGET, VALUE
from .steps import Steps

ALL = (VALUE, GRADIENT_LOGITS, GRADIENT_TARGET)
GRADIENTS = (GRADIENT_LOGITS, GRADIENT_TARGET)
Applies = Callable[[Case], bool]
Make = Callable[[], Steps]


@dataclass(frozen=True)
class Mistake:
    """A usual mistake.

    Attributes:
        name: the mistake in words.
        make: returns the steps of the computation with the mistake.
        applies: whether it may change the answer to a case.
        quantities: the quantities that it changes.
        overflows: whether it depends on the range of intermediate numbers.
        drops: whether it leaves out an option; a constant factor may be wrong on top of it.
        infinities: whether it is about infinite inputs, which most arithmetic makes NaN of.
    """

    name: str
    make: Make
    applies: Applies
    quantities: tuple[str, ...] = ALL
    overflows: bool = False
    drops: bool = False
    infinities: bool = False


class Table(list[Mistake]):
    """A list of mistakes that functions enter by a decorator."""

    def mistake(
        self,
        name: str,
        applies: Applies,
        *,
        quantities: tuple[str, ...] = ALL,
        overflows: bool = False,
        drops: bool = False,
        infinities: bool = False,
    ) -> Callable[[Make], Make]:
        """Return a decorator that lists a function as a mistake.

        Args:
            name: the mistake in words.
            applies: whether it may change the answer to a case.
            quantities: the quantities that it changes.
            overflows: whether it depends on the range of intermediate numbers.
            drops: whether it leaves out an option.
            infinities: whether it is about infinite inputs.
        """

        def listed(make: Make) -> Make:
            self.append(Mistake(name, make, applies, quantities, overflows, drops, infinities))
            return make

        return listed


# --- where a mistake can be made -------------------------------------------------------------


def anywhere(_: Case) -> bool:
    return True


def of_losses(case: Case) -> bool:
    return case.contract.is_loss


def of_softmax(case: Case) -> bool:
    return case.contract.reads_classes and case.contract.domain in ("logits", "hidden")


def of_log_softmax(case: Case) -> bool:
    return case.operation in ("log_softmax", "cross_entropy", "linear_cross_entropy")


def of_sigmoid(case: Case) -> bool:
    return not case.contract.reads_classes and case.operation != "exp" and not is_of_probs(case)


def of_log_sigmoid(case: Case) -> bool:
    return of_sigmoid(case) and case.operation != "sigmoid"


def of_logarithms(case: Case) -> bool:
    """Whether log p of a softmax or a sigmoid, or of given probabilities, is formed."""
    return of_log_softmax(case) or of_log_sigmoid(case) or is_of_probs(case)


def is_of_probs(case: Case) -> bool:
    return case.contract.domain == "probs"


def of_binary(case: Case) -> bool:
    return case.target_kind == "multi_label"


def of_labels(case: Case) -> bool:
    return case.target_kind in ("index", "one_hot")


def of_full_targets(case: Case) -> bool:
    return case.target_kind in ("one_hot", *OF_NUMBERS)


def of_means(case: Case) -> bool:
    return of_losses(case) and case.options.reduction == "mean"


def of_sums(case: Case) -> bool:
    return of_losses(case) and case.options.reduction == "sum"


def of_sums_and_means(case: Case) -> bool:
    """Whether the losses of several rows over classes become one number."""
    is_reduced = of_class_losses(case) and case.options.reduction != "none"
    return is_reduced and bool(case.shape) and case.shape[0] > 1


def of_unreduced(case: Case) -> bool:
    return of_losses(case) and case.options.reduction == "none"


def of_class_losses(case: Case) -> bool:
    return of_losses(case) and case.contract.reads_classes


def of_class_means(case: Case) -> bool:
    return of_means(case) and case.contract.reads_classes


def of_any_smoothing(case: Case) -> bool:
    return bool(case.options.label_smoothing)


def of_smoothing(case: Case) -> bool:
    return of_any_smoothing(case) and case.contract.reads_classes


def of_binary_smoothing(case: Case) -> bool:
    return of_any_smoothing(case) and not case.contract.reads_classes


def of_weights(case: Case) -> bool:
    return case.options.weight is not None or (case.given is not None and has_given(case, "weight"))


def of_pos_weights(case: Case) -> bool:
    return case.options.pos_weight is not None or has_given(case, "pos_weight")


def has_given(case: Case, name: str) -> bool:
    return case.given is not None and getattr(case.given, name) is not None


def of_weighted_smoothing(case: Case) -> bool:
    return of_smoothing(case) and of_weights(case)


def of_ignored(case: Case) -> bool:
    return case.target_kind == "index" and "ignore_index" in case.needs


def of_ignored_smoothing(case: Case) -> bool:
    return of_smoothing(case) and of_ignored(case)
