"""Name the documented choices in which frameworks differ from the contract.

A `Convention` tells the oracle which choice to follow. An answer that misses the contract but is
no finding under a convention, with that convention's own exact value and bounds, is judged
`convention:NAME`. A new convention needs a field of `harness.oracle.solution.Convention`, and
its name and meaning here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from ...cases.model import Case
from ...cases.targets import LABELS
from ..oracle import Convention
from ..verdicts import CONVENTION, UNWANTED

# What each convention means, by the NAME in its verdict; names of frameworks are examples.
MEANINGS: dict[str, str] = {
    "mean_over_rows": "the mean divides by the number of all rows, as Keras does "
    "(sum_over_batch_size), and not by the sum of the weights of the rows that count, as "
    "torch.nn.functional.cross_entropy does",
    "mean_over_nonzero_weights": "the mean divides by the number of rows whose weight is not 0 "
    "(TensorFlow: SUM_BY_NONZERO_WEIGHTS)",
    "mean_over_weights": "the mean of one-hot, soft or multi-label targets divides by the sum of "
    "the weights, as that of index targets does (Keras: mean_with_sample_weight)",
    "weights_scale_rows": "the weight of a row's class multiplies its whole smoothed loss "
    "(Keras: class_weight, sample_weight)",
    "nothing_counts_as_zero": "the mean is 0 where its divisor is 0, as where no row counts "
    "(Keras, TensorFlow: a safe division)",
    "bad_index_as_zeros": "a label out of range means no class at all, as one_hot makes it",
    "bad_index_wraps": "negative labels count from the end, as in Python indexing",
    "bad_index_clamped": "a label out of range means the nearest class, the first or the last "
    "(labels.clamp(min=0); JAX: indexing)",
    "bad_index_is_nan": "a label out of range gives NaN (JAX: take_along_axis fills)",
    "clip_1e-7": "probabilities are clipped to [1e-7, 1 - 1e-7] first (Keras: epsilon)",
    "renormalised": "probabilities are divided by their sum first (Keras)",
    "renormalised_clip_1e-7": "probabilities are divided by their sum, then clipped (Keras)",
    "clip_1e-7_renormalised": "probabilities are clipped, then divided by their sum "
    "(Keras: sparse_categorical_crossentropy)",
    "log_floor_-100": "a logarithm is never below -100 (PyTorch: binary_cross_entropy)",
    "promoted": "the result has the widest dtype of all floating arguments, not that of the "
    "first (NumPy, JAX, and PyTorch for soft targets)",
    "dtype_of_logits": "the gradient by the target has the dtype of the logits, not that of the "
    "target",
    "computed_in_float32": "the result of 16-bit arguments is float32, and right as such",
    "clip_eps": "probabilities are clipped to [ε, 1 − ε] with the ε of their dtype "
    "(scikit-learn: log_loss)",
    "clip_declared": "probabilities are clipped to its own declared ε",
    "dtypes_refused": "arguments of different dtypes, or an index target that is not int64, are "
    "refused (TensorFlow, PyTorch)",
    "unchecked": "numbers outside [0, 1] are taken for probabilities, without an error (of users' "
    "functions alone)",
    "overflows_on_the_way": "next to the largest number of the dtype a step overflows, as in "
    "nearly every function (of users' functions alone)",
    "wide_types": "the result is float64, because arrays made without a dtype are where 64-bit "
    "types are on (JAX), and right in the dtype that is due (of users' functions alone)",
    "undefined_nan": "no agreed answer; NaN was given",
    "undefined_zero": "no agreed answer; 0 was given",
    "undefined_inf": "no agreed answer; an infinity was given",
    "undefined_number": "no agreed answer; another number was given",
    "undefined_error": "no agreed answer; an error was raised",
}


# What is no choice of a function: a limit of its dtype, a setting of its process, its declaration.
_NO_CHOICE = ("overflows_on_the_way", "wide_types", "clip_declared")
CHOICES: tuple[str, ...] = tuple(
    name for name in MEANINGS if name not in _NO_CHOICE and not name.startswith("undefined_")
)


def choices_of(verdict: str) -> tuple[str, ...]:
    """Return the names of `CHOICES` that an answer follows; none for other verdicts.

    >>> choices_of("convention:mean_over_rows+renormalised")
    ('mean_over_rows', 'renormalised')
    """
    if not verdict.startswith(CONVENTION):
        return ()
    return tuple(it for it in verdict.removeprefix(CONVENTION).split("+") if it in CHOICES)


def as_taken(verdict: str, conventions: Collection[str] | None) -> str:
    """Return a verdict as it counts where some conventions are taken, and others are findings.

    Args:
        verdict: the word of a verdict.
        conventions: the names of those that are taken; None for all.

    >>> as_taken("convention:bad_index_wraps", {"mean_over_rows"})
    'unwanted:bad_index_wraps'
    """
    if conventions is None or set(choices_of(verdict)) <= set(conventions):
        return verdict
    return UNWANTED + verdict.removeprefix(CONVENTION)


def as_judged(verdict: str) -> str:
    """Return a verdict as the answer alone has it, whatever a project takes.

    >>> as_judged("unwanted:bad_index_wraps")
    'convention:bad_index_wraps'
    """
    is_unwanted = verdict.startswith(UNWANTED)
    return CONVENTION + verdict.removeprefix(UNWANTED) if is_unwanted else verdict


def conventions_for(case: Case) -> Iterator[tuple[str, Convention]]:
    """Yield the conventions that could change the answer to a case, the simplest first.

    A name may come more than once, as frameworks combine its choice with different divisors.

    >>> from lossdiff.cases.model import Case
    >>> case = Case.parse("binary_cross_entropy/multi_label.binary/float32/2x3/probs/-/0")
    >>> [name for name, _ in conventions_for(case)]
    ['clip_1e-7', 'log_floor_-100']
    """
    if case.contract.is_defined:
        return  # its formula says all
    if case.contract.is_loss:
        yield from _of_means(case)
        yield from _of_weights(case)
    # Labels are out of range in some families only; explicit arrays may hold any label.
    labels = LABELS.get(case.target_family)
    may_be_bad = case.is_given or (labels is not None and labels.is_bad)
    if case.target_kind == "index" and may_be_bad:
        yield "bad_index_as_zeros", Convention(bad_index="zeros")
        yield "bad_index_wraps", Convention(bad_index="wrap")
        yield "bad_index_clamped", Convention(bad_index="clamp")
        yield "bad_index_is_nan", Convention(bad_index="nan")
        yield "bad_index_as_zeros", Convention(bad_index="zeros", mean_over="rows")
    if case.contract.domain == "probs":
        yield "clip_1e-7", Convention(clip=1e-7)
        yield "log_floor_-100", Convention(log_floor=-100.0)
        if case.contract.reads_classes:
            yield "renormalised", Convention(renormalise="before")
            yield "renormalised_clip_1e-7", Convention(renormalise="before", clip=1e-7)
            yield "clip_1e-7_renormalised", Convention(renormalise="after", clip=1e-7)
            yield "mean_over_rows", Convention(clip=1e-7, mean_over="rows")


def _of_means(case: Case) -> Iterator[tuple[str, Convention]]:
    """Yield the conventions about the divisor of a mean."""
    if case.options.reduction != "mean":
        return
    if case.target_kind == "index":
        yield "nothing_counts_as_zero", Convention(nothing_counts_is_zero=True)
        yield "mean_over_rows", Convention(mean_over="rows")
        if _is_weighted(case):
            yield "mean_over_nonzero_weights", Convention(mean_over="nonzero_weights")
    elif _is_weighted(case):
        yield "mean_over_weights", Convention(mean_over="weights")
        yield "mean_over_nonzero_weights", Convention(mean_over="nonzero_weights")


def _of_weights(case: Case) -> Iterator[tuple[str, Convention]]:
    """Yield the conventions about weights together with label smoothing."""
    if not _is_weighted(case) or not case.options.label_smoothing:
        return
    if case.target_kind in ("index", "one_hot"):
        yield "weights_scale_rows", Convention(weights_scale_rows=True)
        if case.options.reduction == "mean":
            yield "weights_scale_rows", Convention(weights_scale_rows=True, mean_over="rows")
            yield (
                "weights_scale_rows",
                Convention(weights_scale_rows=True, mean_over="nonzero_weights"),
            )


def _is_weighted(case: Case) -> bool:
    """Return whether there are class weights; a case from a file holds the arrays themselves."""
    given = case.given is not None and case.given.weight is not None
    return case.options.weight is not None or given


def undefined_answer(got: np.ndarray) -> str:
    """Return the name of the numbers that were given where there is no agreed answer.

    Args:
        got: these numbers, as a flat float64 array.

    >>> undefined_answer(np.array([np.nan, 0.0]))
    'undefined_nan+zero'
    """
    kinds = {
        "nan": np.isnan(got).any(),
        "inf": np.isinf(got).any(),
        "zero": (got == 0).any(),
        "number": (np.isfinite(got) & (got != 0)).any(),
    }
    return "undefined_" + "+".join(name for name, seen in kinds.items() if seen)
