"""Functions with one usual mistake about losses of hidden states, for `test_mistakes`.

Each is what went wrong in a public kernel, in one line: a fault of the logits, of the losses that
are made of them, of their gradient, or of how that is carried on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.model import SCALAR_COTANGENT, Case

from .planted_mistakes import log_softmax, planted, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.cases.model import Inputs

Array = Any
LINEAR = "linear_cross_entropy/index.random/float32/4x8x10/normal/"
PLAIN, EACH, BIASED = f"{LINEAR}-/0", f"{LINEAR}reduction=none/0", f"{LINEAR}linear_bias=normal/0"
SMOOTH = "linear_cross_entropy/index.random/float32/4x8x12/normal/label_smoothing=0.1/0"
CAPPED = f"{LINEAR}logit_softcap=2.5/0"
BELOW = "linear_cross_entropy/index.random/float32/4x8x10/below_zero/-/0"
IGNORED = "linear_cross_entropy/index.some_ignored/float32/4x8x10/normal/-/0"


def wide(array: Array) -> Array:
    return np.asarray(array, np.float64)


def products(given: Inputs) -> Array:
    return wide(given.values) @ wide(given.linear_weight).T


def bias(given: Inputs) -> Array:
    return 0.0 if given.linear_bias is None else wide(given.linear_bias)


def hot(given: Inputs) -> Array:
    return (np.arange(len(given.linear_weight)) == given.target[:, None]).astype(float)


def losses(given: Inputs, z: Array) -> Array:
    return -(log_softmax(z) * hot(given)).sum(1)


def gradient_of(given: Inputs, z: Array) -> Array:
    """Return the gradient of a mean with respect to logits z."""
    return (softmax(z) - hot(given)) * SCALAR_COTANGENT / len(given.values)


def gradient(given: Inputs) -> Array:
    return gradient_of(given, products(given) + bias(given))


def of_value(name: str, case: str, value: Callable[[Inputs], Array]) -> None:
    """Plant a function of the arrays."""
    planted(name, case)(lambda given, _: value(given))


def of_hidden(name: str, g: Callable[[Inputs], Array], case: str = PLAIN) -> None:
    """Plant a gradient of the hidden states, by that of the logits."""
    planted(name, case, "gradient_hidden")(lambda given, _: g(given) @ wide(given.linear_weight))


def of_weight(name: str, g: Callable[[Inputs], Array], case: str = PLAIN) -> None:
    """Plant a gradient of the linear weights, by that of the logits."""
    planted(name, case, "gradient_linear_weight")(lambda given, _: g(given).T @ wide(given.values))


def only(g: Array, rows: slice = slice(None), classes: slice = slice(None)) -> Array:
    """Return a part of a gradient, and 0 elsewhere."""
    part = np.zeros_like(g)
    part[rows, classes] = g[rows, classes]
    return part


def padded(z: Array, classes: int) -> Array:
    """Return logits with further classes of the logit 0."""
    return np.concatenate([z, np.zeros((len(z), classes))], axis=1)


def of_padded(given: Inputs, classes: int) -> Array:
    z = padded(products(given), classes)
    return -np.take_along_axis(log_softmax(z), given.target[:, None], 1).mean()


def smoothed(given: Inputs, classes: float) -> Array:
    """Return the mean with ε shared by so many classes."""
    target = 0.9 * hot(given) + 0.1 / classes
    return -(log_softmax(products(given)) * target).sum(1).mean()


of_value("the bias is not applied", BIASED, lambda it: losses(it, products(it)).mean())
of_value("the bias is subtracted", BIASED, lambda it: losses(it, products(it) - bias(it)).mean())
of_value(
    "the bias is added twice", BIASED, lambda it: losses(it, products(it) + 2 * bias(it)).mean()
)
for case in (PLAIN, BELOW):
    of_value(
        "classes of padding count: with the logit 0, up to a multiple of 16",
        case,
        lambda it: of_padded(it, 6),
    )
of_value(
    "classes of padding count: with the logit 0, up to a multiple of 128",
    PLAIN,
    lambda it: of_padded(it, 118),
)
of_value(
    "log 2 is added: 2 shards sum the same exponentials",
    PLAIN,
    lambda it: losses(it, products(it)).mean() + np.log(2),
)
of_value(
    "smoothing is divided by the classes of one of 2 shards", SMOOTH, lambda it: smoothed(it, 6)
)
of_value(
    "the cap is z·tanh(z/c), where c·tanh(z/c) is due",
    CAPPED,
    lambda it: losses(it, products(it) * np.tanh(products(it) / 2.5)).mean(),
)
of_value("the sum, where the mean is due", PLAIN, lambda it: losses(it, products(it)).sum())
of_value(
    "the mean divides by the number of all rows",
    IGNORED,
    lambda it: losses(it, products(it))[it.target >= 0].sum() / len(it.target),
)
of_value("2 times too large", PLAIN, lambda it: 2 * losses(it, products(it)).mean())

for of_argument in (of_hidden, of_weight):
    of_argument("the incoming gradient is ignored", lambda it: gradient(it) / SCALAR_COTANGENT)
    of_argument(
        "the first number of the incoming gradient stands for all",
        lambda it: (
            (softmax(products(it)) - hot(it)) * Case.parse(EACH).cotangent((len(it.values),))[0]
        ),
        EACH,
    )
    of_argument("2 times too small", lambda it: gradient(it) / 2)
    of_argument(
        "the gradient leaves the cap out",
        lambda it: gradient_of(it, 2.5 * np.tanh(products(it) / 2.5)),
        CAPPED,
    )
HALF = slice(0, 2), slice(2, None)
of_weight(
    "the gradients of the layer are those of the last half of the rows",
    lambda it: only(gradient(it), rows=HALF[1]),
)
of_weight(
    "the gradients of the layer are those of the first half of the rows",
    lambda it: only(gradient(it), rows=HALF[0]),
)
of_hidden(
    "the gradient of the hidden states is that of the first half of the classes",
    lambda it: only(gradient(it), classes=slice(0, 5)),
)
of_hidden(
    "the gradient of the hidden states is that of the last half of the classes",
    lambda it: only(gradient(it), classes=slice(5, None)),
)
planted("the sign is wrong", BIASED, "gradient_linear_bias")(lambda it, _: -gradient(it).sum(0))
