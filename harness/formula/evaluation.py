"""Run a formula exactly: on pairs, and where these lose too many bits on decimals.

Whether bits are lost is found by the same analysis of errors that gives the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...cases.dtypes import FORMATS, Format
from ..oracle import Exact, Floats
from .decimals import exact_of, on_decimals, sizes_of
from .errors import Analysis, Logs, Roundings
from .exactly import Values, on_pairs
from .graph import Array, steps
from .sizes import Sizes

# Pairs: + − × ÷ to 2^-100, exp and the logarithms to 2^-96, exp(x) beyond |x| = 2^10 to 2^-106·|x|.
_PAIRS = Roundings(unit=-99.0, depth=lambda _: 1.0, c=8.0, c_log1p=8.0, growth=2.0**-7)
DIGITS = (70, 370, 800)
_MOST_DIGITS = 2**23  # of all numbers together; more take minutes, and pairs have to do
_LOG2_10 = float(np.log2(10.0))
_SPARE = 20  # bits beyond those of a format: 2^-20 ulp
_SHOWN = 53  # bits that readers see, in any format


@dataclass(frozen=True)
class Evaluation:
    """The exact numbers of a formula.

    Attributes:
        order: its steps, each after those that it is computed from.
        sizes: the signs and magnitudes of their numbers.
        values: the numbers; of them only truth values are used further.
        results: the numbers of the outputs.
        digits: the number of decimal digits that it took; 0 for pairs.
    """

    order: list[Array]
    sizes: dict[Array, Sizes]
    values: Values
    results: dict[Array, Exact]
    digits: int = 0

    def errors(self, roundings: Roundings) -> Logs:
        """Return the bound of each step's error, as a base-2 logarithm."""
        return Analysis(roundings, self.sizes, self.values).errors(self.order)


def evaluated(
    outputs: list[Array],
    inputs: Mapping[str, Floats],
    form: Format = FORMATS["float64"],
    rough: Collection[Array] = (),
) -> Evaluation:
    """Return the exact numbers of arrays.

    Args:
        outputs: the arrays.
        inputs: the arguments of the formula, by their names, as float64.
        form: the format that is judged: numbers are good to 2^-20 of its ulp, and what is far below
            its smallest number is as good as 0.
        rough: those outputs that pairs are good enough for, however many bits they lose.
    """
    pairs = found = on_pairs_alone(outputs, inputs)
    precise = [it for it in outputs if all(it is not other for other in rough)]
    if _are_good(pairs, precise, _PAIRS, form):
        return _without_noise(pairs, rough, _PAIRS) if rough else pairs
    roundings, count = _PAIRS, sum(math.prod(it.shape) for it in steps(precise))
    for digits in DIGITS:
        if count * digits > _MOST_DIGITS:
            break
        values = on_decimals(precise, inputs, digits)
        sizes = {it: sizes_of(number) for it, number in values.items() if not it.is_mask}
        found = replace(
            pairs, sizes=pairs.sizes | sizes, values=pairs.values | values, digits=digits
        )
        roundings = decimal_roundings(digits)
        if _are_good(found, precise, roundings, form):
            break
    if found.digits:
        results = {it: exact_of(found.values[it], found.digits) for it in precise}
        found = replace(found, results=results)
    found = _without_noise(found, precise, roundings)
    return replace(found, results=_without_noise(pairs, rough, _PAIRS).results | found.results)


def _without_noise(
    found: Evaluation, outputs: Collection[Array], roundings: Roundings
) -> Evaluation:
    """Return an evaluation in which a number of some outputs that has no right digit is 0."""
    errors, results = found.errors(roundings), dict(found.results)
    for it in outputs:
        results[it] = _cleared(results[it], errors[it] >= found.sizes[it].log2)
    return replace(found, results=results)


def on_pairs_alone(outputs: list[Array], inputs: Mapping[str, Floats]) -> Evaluation:
    """Return numbers that pairs give, however many bits they lose.

    Args:
        outputs: the arrays.
        inputs: the arguments of the formula, by their names, as float64.
    """
    order = steps(outputs)
    values = on_pairs(outputs, inputs)
    sizes = {it: Sizes.of(values[it]) for it in order if not it.is_mask}
    return Evaluation(order, sizes, values, {it: values[it] for it in outputs})


def decimal_roundings(digits: int) -> Roundings:
    """Return the roundings of decimals, whose expm1 and log1p are made of exp and ln."""
    return Roundings(unit=(1 - digits) * _LOG2_10, depth=float, cancels=True)


def _are_good(found: Evaluation, outputs: list[Array], roundings: Roundings, form: Format) -> bool:
    """Return whether all numbers of the outputs have enough digits."""
    errors = found.errors(roundings)
    enough = -float(max(form.precision, _SHOWN) + _SPARE)
    nothing = float(np.log2(form.smallest)) + enough
    for output in outputs:
        sizes, error = found.sizes[output], errors[output]
        with np.errstate(invalid="ignore"):
            good = (error <= nothing) | (error - sizes.log2 <= enough) | ~sizes.finite
        if not good.all():
            return False
    return True


def _cleared(result: Exact, is_nothing: np.ndarray) -> Exact:
    is_nothing = is_nothing & np.isfinite(result.hi)
    zero = Exact.of(np.zeros(result.shape))
    parts = zip(
        (zero.hi, zero.lo, zero.exponent), (result.hi, result.lo, result.exponent), strict=True
    )
    return Exact(*(np.where(is_nothing, nothing, some) for nothing, some in parts))
