"""Functions with one usual mistake about the options of language models, for `test_mistakes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.model import SCALAR_COTANGENT

from .planted_mistakes import log_softmax, logits, one_hot, planted, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.cases.model import Case, Inputs
    from lossdiff.cases.operations import Options

Array = Any
CE = "cross_entropy/index.random/float32/4x10/normal/"
IGNORED = "cross_entropy/index.some_ignored/float32/4x10/normal/"
SCALED = f"{CE}logit_scale=0.25/0"
CAPPED = f"{CE}logit_softcap=2.5/0"
BOTH = f"{CE}logit_scale=0.25,logit_softcap=0.5/0"
Z_LOSS = f"{IGNORED}z_loss=0.5/0"
DENOMINATOR = f"{IGNORED}denominator=7.0/0"


def transformed(given: Inputs, case: Case) -> Array:
    z = logits(given) * case.options.logit_scale
    c = case.options.logit_softcap
    return z if c is None else c * np.tanh(z / c)


def lse(z: Array) -> Array:
    return z[:, 0] - log_softmax(z)[:, 0]


def counts(given: Inputs, case: Case) -> Array:
    return given.target != case.options.ignore_index


def mean(given: Inputs, case: Case, z: Array) -> Array:
    """Return the mean loss of logits z, with a z-loss."""
    rows = (-log_softmax(z) * one_hot(given)).sum(1) + case.options.z_loss * lse(z) ** 2
    some = counts(given, case)
    return rows[some].sum() / (case.options.denominator or some.sum())


def gradient(given: Inputs, case: Case, pull: float = 2.0, slope: Array = 1.0) -> Array:
    """Return the gradient of a mean, with pull·λ·lse·p for a z-loss."""
    z, some = transformed(given, case), counts(given, case)
    by_z = softmax(z) * (1 + pull * case.options.z_loss * lse(z)[:, None]) - one_hot(given)
    return np.where(some[:, None], by_z * slope, 0) / some.sum() * SCALAR_COTANGENT


def of_logits(name: str, case: str, change: Callable[[Array, Options], Array]) -> None:
    """Plant a function whose logits are changed in another way."""

    def answer(given: Inputs, asked: Case) -> Array:
        return mean(given, asked, change(logits(given), asked.options))

    planted(name, case)(answer)


of_logits("logit_scale is not applied", SCALED, lambda x, _: x)
of_logits("the logits are divided by logit_scale", SCALED, lambda x, o: x / o.logit_scale)
of_logits("logit_scale is applied twice", SCALED, lambda x, o: x * o.logit_scale**2)
of_logits("logit_softcap is not applied", CAPPED, lambda x, _: x)
of_logits(
    "the cap is z·tanh(z/c), where c·tanh(z/c) is due",
    CAPPED,
    lambda x, o: x * np.tanh(x / o.logit_softcap),
)
of_logits(
    "the cap is tanh(z/c): it is not multiplied by c",
    CAPPED,
    lambda x, o: np.tanh(x / o.logit_softcap),
)
of_logits(
    "the cap is c·tanh(z): z is not divided by c", CAPPED, lambda x, o: o.logit_softcap * np.tanh(x)
)
of_logits(
    "the cap clips the logits to [−c, c]",
    BOTH,
    lambda x, o: np.clip(x * o.logit_scale, -o.logit_softcap, o.logit_softcap),
)
of_logits(
    "the cap comes before the scale",
    BOTH,
    lambda x, o: o.logit_scale * o.logit_softcap * np.tanh(x / o.logit_softcap),
)


def of_z_loss(name: str, more: Callable[[Inputs, Case, Array], Array], case: str = Z_LOSS) -> None:
    """Plant a function whose mean has another z-loss added."""

    def answer(given: Inputs, asked: Case) -> Array:
        z, some = transformed(given, asked), counts(given, asked)
        plain = (-log_softmax(z) * one_hot(given)).sum() / some.sum()
        return plain + more(given, asked, asked.options.z_loss * lse(z) ** 2)

    planted(name, case)(answer)


of_z_loss("z_loss is not applied", lambda _given, _case, _z: 0.0)
of_z_loss("z_loss counts ignored rows", lambda given, case, z: z.sum() / counts(given, case).sum())
of_z_loss(
    "z_loss is not divided as the loss is", lambda given, case, z: z[counts(given, case)].sum()
)
of_z_loss(
    "z_loss is divided by the number of all rows",
    lambda given, case, z: z[counts(given, case)].sum() / len(z),
)
of_z_loss("z_loss is halved: λ/2·lse²", lambda given, case, z: z[counts(given, case)].mean() / 2)
of_z_loss(
    "z_loss is λ·lse, not λ·lse²",
    lambda given, case, _: 0.5 * lse(logits(given))[counts(given, case)].mean(),
)
of_z_loss(
    "z_loss is of the logits before their scale and cap",
    lambda given, _case, _z: 0.5 * (lse(logits(given)) ** 2).mean(),
    f"{CE}logit_scale=0.25,z_loss=0.5/0",
)


@planted("denominator is not applied: the mean divides by its own count", DENOMINATOR)
def own_count(given: Inputs, case: Case) -> Array:
    return mean(given, case, logits(given)) * 7.0 / counts(given, case).sum()


@planted("the mean is divided by denominator once more", DENOMINATOR)
def both_divisors(given: Inputs, case: Case) -> Array:
    return mean(given, case, logits(given)) / counts(given, case).sum()


@planted("the gradient leaves the cap out", CAPPED, "gradient_logits")
def no_slope_of_the_cap(given: Inputs, case: Case) -> Array:
    return gradient(given, case)


@planted("the gradient leaves logit_scale out", SCALED, "gradient_logits")
def no_slope_of_the_scale(given: Inputs, case: Case) -> Array:
    return gradient(given, case)


@planted("the gradient leaves z_loss out", Z_LOSS, "gradient_logits")
def no_gradient_of_z_loss(given: Inputs, case: Case) -> Array:
    return gradient(given, case, pull=0.0)


@planted("the gradient of z_loss lacks its factor of 2", Z_LOSS, "gradient_logits")
def half_a_gradient_of_z_loss(given: Inputs, case: Case) -> Array:
    return gradient(given, case, pull=1.0)
