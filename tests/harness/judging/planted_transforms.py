"""Planted mistakes of language models' options: what is scaled, and what a z-loss is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .planted_language_models import BOTH, CE, IGNORED, SCALED, counts, lse, transformed
from .planted_mistakes import Array, log_softmax, logits, losses, one_hot, planted, weight

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.cases.model import Case, Inputs

Z_LOSS = f"{CE}reduction=none,z_loss=0.5/0"
WEIGHTED = f"{IGNORED}weight=positive,z_loss=0.5/0"


@planted("only the target's logit is scaled and capped, not those of the sum", BOTH)
def target_alone(given: Inputs, case: Case) -> Array:
    picked = (transformed(given, case) * one_hot(given)).sum(1)
    return (lse(logits(given)) - picked).mean()


@planted("the target's logit is neither scaled nor capped", BOTH)
def sum_alone(given: Inputs, case: Case) -> Array:
    picked = (logits(given) * one_hot(given)).sum(1)
    return (lse(transformed(given, case)) - picked).mean()


def scaled_losses(given: Inputs, case: Case) -> Array:
    return losses(given, log_softmax(transformed(given, case))).mean()


@planted("the loss is multiplied by logit_scale, too", SCALED)
def loss_scaled(given: Inputs, case: Case) -> Array:
    return scaled_losses(given, case) * case.options.logit_scale


@planted("the loss is divided by logit_scale², as in distillation", SCALED)
def loss_over_square(given: Inputs, case: Case) -> Array:
    return scaled_losses(given, case) / case.options.logit_scale**2


def z_loss_of(name: str, made: Callable[[Array], Array]) -> None:
    """Plant a z-loss of something else than lse, given the logits."""

    def answer(given: Inputs, case: Case) -> Array:
        return losses(given) + case.options.z_loss * made(logits(given)) ** 2

    planted(name, Z_LOSS)(answer)


z_loss_of("z_loss is of the largest logit, not of lse", lambda x: x.max(1))
z_loss_of("z_loss is of the sum of the logits, not of lse", lambda x: x.sum(1))
z_loss_of(
    "z_loss is of lse without the maximum, which is not added back",
    lambda x: lse(x) - x.max(1),
)


@planted("z_loss is subtracted", Z_LOSS)
def z_loss_subtracted(given: Inputs, case: Case) -> Array:
    return losses(given) - case.options.z_loss * lse(logits(given)) ** 2


@planted("z_loss is divided by the number of rows that count, not by their weights", WEIGHTED)
def z_loss_over_rows(given: Inputs, case: Case) -> Array:
    some, w = counts(given, case), one_hot(given) @ weight(given)
    z_loss = case.options.z_loss * lse(logits(given))[some] ** 2
    return losses(given)[some].sum() / w[some].sum() + z_loss.mean()
