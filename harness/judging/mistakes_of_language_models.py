"""Mistakes about scaled and capped logits, z-losses and outside denominators."""

from __future__ import annotations

from collections.abc import Callable

from ...cases.model import Case
from . import steps as right
from .mistake import GRADIENTS, Table, of_ignored, of_weights
from .problem import Problem
from .steps import Steps, changed
from .traced import Traced, chosen, clip, exp, log, tanh, with_slope

OF_LANGUAGE_MODELS = Table()


def of_scales(case: Case) -> bool:
    return case.options.logit_scale != 1


def of_caps(case: Case) -> bool:
    return case.options.logit_softcap is not None


def of_transforms(case: Case) -> bool:
    return of_scales(case) or of_caps(case)


def of_z_losses(case: Case) -> bool:
    return case.options.z_loss > 0


def of_denominators(case: Case) -> bool:
    return case.options.denominator is not None


def _scale(problem: Problem) -> float:
    return problem.case.options.logit_scale


def _cap(problem: Problem) -> float:
    return problem.case.options.logit_softcap or 1.0


# --- the scale and the cap -------------------------------------------------------------------


def _capped(problem: Problem, x: Traced) -> Traced:
    return tanh(x / _cap(problem)) * _cap(problem) if of_caps(problem.case) else x


@OF_LANGUAGE_MODELS.mistake("logit_scale is not applied", of_scales, drops=True)
def scale_dropped() -> Steps:
    return changed(logits=_capped)


@OF_LANGUAGE_MODELS.mistake("the logits are divided by logit_scale", of_scales)
def scale_inverted() -> Steps:
    return changed(logits=lambda problem, x: _capped(problem, x / _scale(problem)))


@OF_LANGUAGE_MODELS.mistake("logit_scale is applied twice", of_scales)
def scale_twice() -> Steps:
    return changed(logits=lambda problem, x: right.transformed(problem, x * _scale(problem)))


@OF_LANGUAGE_MODELS.mistake("logit_softcap is not applied", of_caps, drops=True)
def cap_dropped() -> Steps:
    return changed(logits=lambda problem, x: x * _scale(problem))


@OF_LANGUAGE_MODELS.mistake("the cap is z·tanh(z/c), where c·tanh(z/c) is due", of_caps)
def cap_times_logit() -> Steps:
    def capped(problem: Problem, x: Traced) -> Traced:
        scaled = x * _scale(problem)
        return scaled * tanh(scaled / _cap(problem))

    return changed(logits=capped)


@OF_LANGUAGE_MODELS.mistake("the cap is tanh(z/c): it is not multiplied by c", of_caps)
def cap_not_multiplied() -> Steps:
    return changed(logits=lambda problem, x: tanh(x * _scale(problem) / _cap(problem)))


@OF_LANGUAGE_MODELS.mistake("the cap is c·tanh(z): z is not divided by c", of_caps)
def cap_not_divided() -> Steps:
    return changed(logits=lambda problem, x: tanh(x * _scale(problem)) * _cap(problem))


@OF_LANGUAGE_MODELS.mistake("the cap clips the logits to [−c, c]", of_caps)
def cap_clips() -> Steps:
    return changed(
        logits=lambda problem, x: clip(x * _scale(problem), -_cap(problem), _cap(problem))
    )


@OF_LANGUAGE_MODELS.mistake(
    "the cap comes before the scale", lambda case: of_scales(case) and of_caps(case)
)
def cap_before_scale() -> Steps:
    return changed(logits=lambda problem, x: _capped(problem, x) * _scale(problem))


@OF_LANGUAGE_MODELS.mistake("the gradient leaves the cap out", of_caps, quantities=GRADIENTS)
def gradient_without_cap() -> Steps:
    def straight(problem: Problem, x: Traced) -> Traced:
        return with_slope(right.transformed(problem, x).approx, x, _scale(problem))

    return changed(logits=straight)


@OF_LANGUAGE_MODELS.mistake("the gradient leaves logit_scale out", of_scales, quantities=GRADIENTS)
def gradient_without_scale() -> Steps:
    def unscaled(problem: Problem, x: Traced) -> Traced:
        return _capped(problem, with_slope((x * _scale(problem)).approx, x, 1.0))

    return changed(logits=unscaled)


def _with_log_p(problem: Problem, x: Traced, other: Traced) -> Traced:
    """Return the logits of one kind less the logsumexp of another."""
    shift = other.value.max(problem.axis, keepdims=True)
    return x - (log(exp(other - shift).sum(problem.axis)) + shift)


@OF_LANGUAGE_MODELS.mistake(
    "only the target's logit is scaled and capped, not those of the sum", of_transforms
)
def target_alone_transformed() -> Steps:
    return changed(
        logits=lambda _, x: x,
        log_p=lambda problem, x, _p, _d: _with_log_p(problem, right.transformed(problem, x), x),
    )


@OF_LANGUAGE_MODELS.mistake("the target's logit is neither scaled nor capped", of_transforms)
def sum_alone_transformed() -> Steps:
    return changed(
        logits=lambda _, x: x,
        log_p=lambda problem, x, _p, _d: _with_log_p(problem, x, right.transformed(problem, x)),
    )


@OF_LANGUAGE_MODELS.mistake("the loss is multiplied by logit_scale, too", of_scales)
def loss_scaled() -> Steps:
    return changed(factor=_scale)


@OF_LANGUAGE_MODELS.mistake("the loss is divided by logit_scale², as in distillation", of_scales)
def loss_over_square_of_scale() -> Steps:
    return changed(factor=lambda problem: 1 / _scale(problem) ** 2)


# --- the z-loss ------------------------------------------------------------------------------


@OF_LANGUAGE_MODELS.mistake("z_loss is not applied", of_z_losses, drops=True)
def z_loss_dropped() -> Steps:
    return changed(z_loss=lambda _, lse: lse * 0.0)


@OF_LANGUAGE_MODELS.mistake(
    "z_loss counts ignored rows", lambda case: of_z_losses(case) and of_ignored(case)
)
def z_loss_of_ignored_rows() -> Steps:
    return changed(z_loss=lambda problem, lse: lse * lse * problem.case.options.z_loss)


def _is_divided(case: Case) -> bool:
    return of_z_losses(case) and case.options.reduction == "mean"


@OF_LANGUAGE_MODELS.mistake("z_loss is not divided as the loss is", _is_divided)
def z_loss_not_divided() -> Steps:
    return changed(z_loss=lambda problem, lse: right.z_loss(problem, lse) * right.divisor(problem))


@OF_LANGUAGE_MODELS.mistake("z_loss is divided by the number of all rows", _is_divided)
def z_loss_over_all_rows() -> Steps:
    return changed(
        z_loss=lambda problem, lse: (
            right.z_loss(problem, lse) * (right.divisor(problem) / problem.rows)
        )
    )


@OF_LANGUAGE_MODELS.mistake("z_loss is λ·lse, not λ·lse²", of_z_losses)
def z_loss_not_squared() -> Steps:
    return changed(
        z_loss=lambda problem, lse: chosen(problem.counts, lse * problem.case.options.z_loss, 0.0)
    )


@OF_LANGUAGE_MODELS.mistake("z_loss is subtracted", of_z_losses)
def z_loss_subtracted() -> Steps:
    return changed(z_loss=lambda problem, lse: -right.z_loss(problem, lse))


def _z_loss_of(z: Callable[[Problem, Traced, Traced], Traced]) -> Steps:
    """Return steps with λ·z², of the logits of a row and their logsumexp."""

    def rows(problem: Problem, losses: Traced, log_p: Traced, lse: Traced) -> Traced:
        made = z(problem, log_p + lse, lse)
        return losses + made * made * problem.case.options.z_loss

    return changed(z_loss=lambda _, lse: lse * 0.0, rows=rows)


def _maximum(problem: Problem, z: Traced, _: Traced) -> Traced:
    is_largest = z.value == z.value.max(problem.axis, keepdims=True)
    return chosen(is_largest, z, 0.0).sum(problem.axis)


@OF_LANGUAGE_MODELS.mistake("z_loss is of the largest logit, not of lse", of_z_losses)
def z_loss_of_maximum() -> Steps:
    return _z_loss_of(_maximum)


@OF_LANGUAGE_MODELS.mistake(
    "z_loss is of lse without the maximum, which is not added back", of_z_losses
)
def z_loss_without_maximum() -> Steps:
    return _z_loss_of(lambda problem, z, lse: lse - _maximum(problem, z, lse))


@OF_LANGUAGE_MODELS.mistake("z_loss is of the sum of the logits, not of lse", of_z_losses)
def z_loss_of_sum() -> Steps:
    return _z_loss_of(lambda problem, z, _: z.sum(problem.axis))


@OF_LANGUAGE_MODELS.mistake(
    "z_loss is divided by the number of rows that count, not by their weights",
    lambda case: _is_divided(case) and of_weights(case),
)
def z_loss_over_counted_rows() -> Steps:
    def z_loss(problem: Problem, lse: Traced) -> Traced:
        share = right.divisor(problem) / float(problem.counts.sum())
        return right.z_loss(problem, lse) * share

    return changed(z_loss=z_loss)


@OF_LANGUAGE_MODELS.mistake("z_loss is halved: λ/2·lse²", of_z_losses)
def z_loss_halved() -> Steps:
    return changed(z_loss=lambda problem, lse: right.z_loss(problem, lse) * 0.5)


@OF_LANGUAGE_MODELS.mistake(
    "z_loss is of the logits before their scale and cap",
    lambda case: of_z_losses(case) and (of_scales(case) or of_caps(case)),
)
def z_loss_of_plain_logits() -> Steps:
    return changed(has_plain_lse=True)


@OF_LANGUAGE_MODELS.mistake("the gradient leaves z_loss out", of_z_losses, quantities=GRADIENTS)
def gradient_without_z_loss() -> Steps:
    return changed(z_loss=lambda _, lse: with_slope(lse.approx, lse, 0.0))


@OF_LANGUAGE_MODELS.mistake(
    "the gradient of z_loss lacks its factor of 2", of_z_losses, quantities=GRADIENTS
)
def gradient_of_half_a_z_loss() -> Steps:
    return z_loss_halved()


# --- the denominator -------------------------------------------------------------------------


@OF_LANGUAGE_MODELS.mistake(
    "denominator is not applied: the mean divides by its own count", of_denominators, drops=True
)
def own_count() -> Steps:
    return changed(divisor=right.own_divisor)


@OF_LANGUAGE_MODELS.mistake("the mean is divided by denominator once more", of_denominators)
def mean_and_denominator() -> Steps:
    return changed(divisor=lambda problem: right.own_divisor(problem) * right.divisor(problem))
