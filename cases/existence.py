"""Decide whether a case that an id describes exists: whether its inputs could be drawn.

Ids come from run files and from command lines, and a case must not turn out to be impossible in the
middle of a run.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from .dtypes import FORMATS
from .families import VALUES
from .layouts import LAYOUTS
from .operations import Options
from .products import BIASES, PRODUCTS
from .stored import DIGITS_STAGES, worked_examples
from .sweeps import SWEEPS
from .targets import LABELS, NUMERIC, WRONG_SHAPES
from .weights import WEIGHTS

if TYPE_CHECKING:
    from .model import Case

_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {"bool"}
_GIVEN = "given"  # target and weights that are stored beside the values
_FEW = 1024  # options; all cases of a suite have fewer
_MOST = 2**48  # elements; no machine holds an array of so many
_LARGEST = 2**63  # axes and labels are int64


def exists(case: Case, explicit: bool) -> bool:
    """Return whether every name and number of a case has a meaning.

    Args:
        case: the case.
        explicit: whether its arrays are stored in full, and not drawn from its id.
    """
    return (
        case.dtype in FORMATS
        and case.layout in LAYOUTS
        and min(case.shape, default=0) >= 0
        and math.prod(case.sizes) < _MOST
        and _sizes_exist(case)
        and _family_exists(case, explicit)
        and _target_exists(case)
        and _options_exist(case.options, case.contract.options)
        and all(it != case.contract.default(name) for name, it in case.options.parameters)
        and not case.options.conflict(case.target_kind)
    )


def _family_exists(case: Case, explicit: bool) -> bool:
    family, shape = case.family, case.shape
    source, colon, name = family.partition(":")
    if explicit:
        return bool(colon)
    if case.contract.is_linear:
        return family in PRODUCTS and case.dtype in PRODUCTS[family].dtypes
    if source == "worked":
        return name in worked_examples() and worked_examples()[name].values.shape == shape
    if source == "digits":
        return name in DIGITS_STAGES and len(shape) == 2 and shape[1] == 10
    sweep, at, magnitude = family.partition("@")
    if at:
        return sweep in SWEEPS and math.isfinite(float(magnitude))
    return family in VALUES


def _sizes_exist(case: Case) -> bool:
    """Return whether hidden states have a size where there are any, and classes to be made into."""
    if not case.contract.is_linear:
        return not case.hidden
    return len(case.shape) == len("NC") and case.hidden > 0 and case.shape[1] > 0


def _target_exists(case: Case) -> bool:
    kind, family, dtype = case.target_kind, case.target_family, case.target_dtype
    if kind not in (case.contract.targets or (None,)):
        return False
    if kind is None:
        return True
    # Labels are class indices; a one-hot target is made from them.
    families = {*WRONG_SHAPES, _GIVEN, *(LABELS if kind in ("index", "one_hot") else NUMERIC)}
    dtypes = {"", *FORMATS, *_INTEGERS}
    return family in families and dtype in dtypes


@lru_cache(maxsize=_FEW)
def _options_exist(options: Options, allowed: tuple[str, ...]) -> bool:
    return (
        options.given().keys() <= set(allowed)
        and abs(options.axis) < _LARGEST
        and abs(options.ignore_index) < _LARGEST
        and math.isfinite(options.label_smoothing)
        and all(math.isfinite(number) for _, number in options.parameters)
        and options.reduction in ("none", "mean", "sum")
        and all(
            number is None or (math.isfinite(number) and number > 0)
            for number in (options.logit_scale, options.logit_softcap, options.denominator)
        )
        and math.isfinite(options.z_loss)
        and options.z_loss >= 0
        and all(map(_weight_exists, (options.weight, options.pos_weight)))
        and options.linear_bias in (None, _GIVEN, *BIASES)
    )


def _weight_exists(weight: str | None) -> bool:
    if weight is None:
        return True
    family, colon, dtype = weight.partition(":")
    return family in (*WEIGHTS, _GIVEN) and (not colon or dtype in FORMATS)
