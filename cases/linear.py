"""List the cases of losses whose logits are products of hidden states and linear weights.

They are in no covering array, as few functions take them; for a user's function that does,
`harness.own.questions` makes an array.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from .model import Case
from .operations import DTYPES, Options
from .products import PRODUCTS

# One dtype and shape has many cases, as each signature is compiled anew.
_QUICK = (
    "linear_cross_entropy/index.random/float32/4x8x10/normal/-/0",
    "linear_cross_entropy/index.random/float32/4x8x10/normal_100/reduction=none/0",
    "linear_cross_entropy/index.top/float32/4x8x10/cancelling/reduction=none/0",
    "linear_cross_entropy/index.random/float32/4x8x10/below_zero/linear_bias=normal/0",
    "linear_cross_entropy/index.some_ignored/float32/4x8x10/nan_where_ignored/reduction=sum/0",
    (
        "linear_cross_entropy/index.some_ignored/float32/4x8x10/normal_10/"
        "logit_scale=0.25,logit_softcap=30.0,z_loss=0.0001,denominator=7.0/0"
    ),
    (
        "linear_cross_entropy/index.some_ignored/float32/4x8x10/normal_10/"
        "weight=positive,ignore_index=-1,label_smoothing=0.1/0"
    ),
    "linear_cross_entropy/index.all_ignored/float32/4x8x10/normal/denominator=7.0/0",
    "linear_cross_entropy/index.random/bfloat16/4x8x10/normal_10/-/0",
    "linear_cross_entropy/index.random/float16/4x8x10/normal_10/linear_bias=normal/0",
    "linear_cross_entropy/index.top/float64/4x8x10/offset/linear_bias=normal/0",
)
_SIZES = ((4, 8, 10), (7, 5, 13))
_LARGER = (33, 16, 101)
_OF_LARGER = ("normal_10", "cancelling")
_OPTIONS = (
    ("random", Options(reduction="none")),
    ("top", Options(linear_bias="normal", label_smoothing=0.1)),
    ("some_ignored", Options(reduction="sum", z_loss=0.5, weight="positive")),
    ("some_ignored", Options(denominator=2.5, logit_scale=0.7, logit_softcap=30.0)),
    ("all_ignored", Options(denominator=7.0, z_loss=1e-4)),
)
_MASKED = ("random", Options(linear_bias="padded", reduction="none"))
# Hidden states of the usual sizes, where the order of a long sum shows.
_LONG = (
    "linear_cross_entropy/index.random/bfloat16/16x512x257/normal_10/-/0",
    "linear_cross_entropy/index.random/float32/16x512x257/normal_10/-/0",
    "linear_cross_entropy/index.some_ignored/float32/300x16x33/normal_10/-/0",
    "linear_cross_entropy/index.random/float32/2x16x4099/normal_10/logit_softcap=30.0/0",
)
_BAD = ("too_large", "negative")


def of_linear_losses(suite: str) -> Iterator[Case]:
    """Yield the cases of `quick` or `full`."""
    yield from map(Case.parse, _QUICK)
    if suite == "quick":
        yield _case("grid", (4, 10), "float32", "random", Options(), 8)
        return
    for dtype in DTYPES:
        yield _case("grid", (4, 10), dtype, "random", Options(), 8)
        yield _case("grid", (33, 101), dtype, "some_ignored", Options(linear_bias="normal"), 16)
    families = [family for family in PRODUCTS.values() if not family.probed]
    for (rows, hidden, classes), family, dtype in product((*_SIZES, _LARGER), families, DTYPES):
        is_larger = (rows, hidden, classes) == _LARGER
        if dtype not in family.dtypes or (is_larger and family.name not in _OF_LARGER):
            continue
        for target, options in (*_OPTIONS, *([_MASKED] if family.name == "normal_10" else [])):
            if target == "some_ignored" or family.name != "nan_where_ignored":
                yield _case(family.name, (rows, classes), dtype, target, options, hidden)
    yield from map(Case.parse, _LONG)
    for target in _BAD:
        yield _case("normal", (4, 10), "float32", target, Options(), 8)


def _case(
    family: str, shape: tuple[int, int], dtype: str, target: str, options: Options, hidden: int
) -> Case:
    return Case(
        "linear_cross_entropy", family, shape, dtype, "index", target, options, hidden=hidden
    )
