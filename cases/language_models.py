"""List the cases of the options that language models are trained with.

They are in no covering array, as few functions take these options; for a user's function that takes
them `harness.own.questions` makes an array.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from .model import Case
from .operations import DTYPES, Options

# One dtype and shape has many cases, as each signature is compiled anew.
_QUICK = (
    "cross_entropy/index.random/float32/4x10/normal_10/reduction=none,logit_softcap=2.5/0",
    (
        "cross_entropy/index.some_ignored/float32/4x10/normal_100/"
        "logit_scale=0.25,logit_softcap=30.0,z_loss=0.0001,denominator=7.0/0"
    ),
    "cross_entropy/index.some_ignored/float32/4x10/nan_where_ignored/z_loss=0.5/0",
    "cross_entropy/index.all_ignored/float32/4x10/normal/z_loss=0.5,denominator=7.0/0",
    (
        "cross_entropy/index.some_ignored/bfloat16/4x10/normal_10/"
        "logit_scale=0.25,logit_softcap=30.0,z_loss=0.5,denominator=7.0/0"
    ),
)
_VALUES = ("normal", "normal_100", "far_tail", "ties", "nan_where_ignored")
_OPTIONS = (
    ("random", Options(reduction="none", logit_softcap=2.5)),
    ("top", Options(logit_scale=0.7, logit_softcap=30.0)),
    ("some_ignored", Options(reduction="sum", z_loss=0.5, weight="positive")),
    ("some_ignored", Options(denominator=2.5, label_smoothing=0.1, logit_scale=0.25)),
    ("all_ignored", Options(denominator=7.0, z_loss=1e-4)),
)


def of_language_models(suite: str) -> Iterator[Case]:
    """Yield the cases of `quick` or `full`."""
    if suite == "quick":
        yield from map(Case.parse, _QUICK)
        return
    for family, dtype in product(_VALUES, DTYPES):
        for target, options in _OPTIONS:
            if target == "some_ignored" or family != "nan_where_ignored":
                yield Case("cross_entropy", family, (4, 10), dtype, "index", target, options)
