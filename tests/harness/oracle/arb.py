"""A second oracle, in Arb's ball arithmetic: every result encloses the right answer.

Written from the contract of the operations alone, each formula in its naive mathematical form.
It shares no code with `harness.oracle`. Where a form cancels, the balls come out wide; then all is
computed again with twice the bits, until every ball is narrow.

Arrays are NumPy arrays of objects, one `arb` each.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import arb, ctx

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.cases.model import Case, Inputs
    from lossdiff.harness.oracle.double_double import Exact
    from numpy.typing import NDArray

    Balls = NDArray[np.object_]

BITS = (400, 800, 1600, 3200, 6400)
NAN, INF = arb.nan(), arb.pos_inf()
_SEED = arb(5) / 8  # the cotangent of a scalar
_NARROW = -40  # balls are accepted when their radius is below 2^-40 ulp of float64
_ENDLESS = arb((1, 1 << 14))  # no format tells numbers beyond it apart, nor their inverses


class TooWideError(ArithmeticError):
    """The bits do not suffice."""


@dataclass(frozen=True)
class Enclosure:
    """One quantity of a case.

    Attributes:
        balls: what encloses the right values; NaN where there is no agreed answer.
        terms: the sum of the magnitudes of the terms of each value; the value's own
            magnitude where nothing cancels.

    """

    balls: Balls
    terms: Balls

    @property
    def size(self) -> int:
        """The number of values."""
        return self.balls.size

    def lost_bits(self) -> NDArray[np.float64]:
        """Return how many bits of the terms cancel in each value."""
        pairs = zip(self.balls.flat, self.terms.flat, strict=True)
        return np.array([float(_exponent(t) - _exponent(b)) for b, t in pairs])


def answers(case: Case, inputs: Inputs) -> dict[str, Enclosure] | None:
    """Return an enclosure of each quantity of a case, None where an error is due."""
    return None if is_refused(case, inputs) else _until_narrow(_solve, case, inputs)


def second(case: Case, inputs: Inputs) -> Enclosure:
    """Return an enclosure of the gradient's derivative along `Case.direction`."""
    return _until_narrow(_solve_second, case, inputs)["second"]


def _until_narrow(
    solver: Callable[[Case, Inputs], dict[str, Enclosure]], case: Case, inputs: Inputs
) -> dict[str, Enclosure]:
    for bits in BITS:
        with ctx.workprec(bits), suppress(TooWideError):
            found = solver(case, inputs)
            if all(_is_narrow(ball) for one in found.values() for ball in one.balls.flat):
                return found
    raise TooWideError(case.id)


def is_refused(case: Case, inputs: Inputs) -> bool:
    """Return whether a label is out of range, or a probability outside [0, 1]."""
    if case.contract.domain == "probs" and any(not 0 <= p <= 1 for p in _numbers(inputs.values)):
        return True
    if inputs.target is None:
        return False
    if case.target_kind != "index":
        return any(q < 0 or q > 1 for q in _numbers(inputs.target))  # NaN is no refusal
    valid = {*range(case.shape[case.class_axis]), case.options.ignore_index}
    return any(int(label) not in valid for label in inputs.target.flat)


def ball_of(exact: Exact, index: Any = ()) -> arb:
    """Return one number of an array of pairs, without loss."""
    exponent = int(exact.exponent[index])
    with ctx.workprec(400):
        pair = arb(float(exact.hi[index])) + arb(float(exact.lo[index]))
        return pair * arb((1, exponent)) if exact.hi[index] else pair


def ulps_apart(exact: Exact, right: Enclosure) -> NDArray[np.float64]:
    """Return how far pairs can be from what the balls enclose, in ulp of float64.

    The ulp is that of the enclosed value, subnormals included, however much its terms cancel.
    Where one of the two is NaN or infinite the distance is 0 if both are the same, and infinite
    otherwise.
    """
    balls = right.balls
    assert exact.shape == balls.shape, f"shape {exact.shape}, where {balls.shape} is due"
    apart = [_ulps(ball_of(exact, index), balls[index]) for index in np.ndindex(balls.shape)]
    return np.array(apart).reshape(balls.shape)


def _exponent(ball: arb) -> int:
    """Return floor(log2(magnitude)), not below float64's smallest normal number."""
    mantissa, exponent = ball.mid().man_exp()
    top = abs(int(mantissa)).bit_length() + int(exponent) - 1 if mantissa else -1022
    return max(top, -1022)


def _ulps(ours: arb, ball: arb) -> float:
    if ours.is_nan() or ball.is_nan():
        return 0.0 if ours.is_nan() and ball.is_nan() else np.inf
    if not (ours.is_finite() and ball.is_finite()):
        return 0.0 if ours == ball else np.inf
    if abs(ball) > _ENDLESS and abs(ours) > _ENDLESS:
        return 0.0 if (ours > 0) == (ball > 0) else np.inf
    with ctx.workprec(400):
        return float((abs(ours - ball) * arb((1, 52 - _exponent(ball)))).abs_upper())


def _is_narrow(ball: arb) -> bool:
    if not ball.is_finite():
        return bool(ball.is_nan() or ball in (INF, -INF))
    return bool(ball.rad() <= arb((1, _exponent(ball) - 52 + _NARROW)))


# --- numbers ---------------------------------------------------------------------------------


def _numbers(array: NDArray[Any]) -> list[float]:
    return [float(number) for number in array.flat]


def _balls(array: NDArray[Any]) -> Balls:
    full = np.empty(array.shape, np.object_)
    full.flat = [arb(float(number)) for number in array.flat]
    return full


def _each(function: Callable[..., arb], *arrays: Balls) -> Balls:
    """Apply a function of numbers, element by element."""
    arrays = tuple(np.broadcast_arrays(*arrays))
    full = np.empty(arrays[0].shape, np.object_)
    full.flat = [function(*numbers) for numbers in zip(*(a.flat for a in arrays), strict=True)]
    return full


def _exp(x: arb) -> arb:
    y = x.exp()
    if x.is_finite() and not y.is_finite():
        raise TooWideError
    return y


def _log(x: arb) -> arb:
    if not (x > 0 or x == 0 or x.is_nan()):
        raise TooWideError
    return -INF if x == 0 else INF if x == INF else x.log()


def _minus(x: arb, y: arb) -> arb:
    """Return x − y, where −inf has no radius."""
    return x if x == -INF else INF if y == -INF else x - y


def _times(weight: arb, x: arb) -> arb:
    """0·log 0 = 0; but what is not known stays so."""
    return arb(0) if weight == 0 and not x.is_nan() else weight * x


def _over(x: arb, y: arb) -> arb:
    """x/y, where x/0 is infinite, 0/0 NaN, and x/inf 0."""
    if y.is_nan():
        return NAN
    if y == INF and x.is_finite():
        return arb(0)
    if y != 0 or x.is_nan():
        return x / y
    if not (x > 0 or x < 0 or x == 0):
        raise TooWideError
    return NAN if x == 0 else INF if x > 0 else -INF


def _sum(balls: Balls, axis: int | None = None) -> Balls:
    return np.asarray(balls.sum(axis=axis, initial=arb(0)), np.object_)


# --- the operations --------------------------------------------------------------------------


def _solve(case: Case, inputs: Inputs) -> dict[str, Enclosure]:
    if case.contract.is_linear:
        return _solve_linear(case, inputs)
    if not case.contract.reads_classes:
        return _solve_elements(case, inputs)
    x = np.moveaxis(_balls(inputs.values), case.class_axis, -1)
    solver = _solve_loss if case.contract.is_loss else _solve_array
    back = lambda balls: (  # noqa: E731 -- two words
        np.moveaxis(balls, -1, case.class_axis) if balls.shape == x.shape else balls
    )
    return {
        name: Enclosure(back(balls), back(np.broadcast_to(terms, balls.shape)))
        for name, (balls, terms) in solver(case, inputs, x).items()
    }


def _solve_linear(case: Case, inputs: Inputs) -> dict[str, Enclosure]:
    """Loss of z = h·Wᵀ + b, and its gradient carried on to h, W and b."""
    assert inputs.linear_weight is not None
    rows = [bool(it) for it in np.isfinite(inputs.values.astype(float)).all(axis=1)]
    known = np.isfinite(inputs.linear_weight.astype(float)).all()
    h, w = _balls(inputs.values), _balls(inputs.linear_weight)
    h[[not it for it in rows]] = arb(0)
    b = _balls(np.zeros(len(w)) if inputs.linear_bias is None else inputs.linear_bias)
    z = np.empty((len(h), len(w)), np.object_)
    for n, c in np.ndindex(z.shape):
        product = sum((one * two for one, two in zip(h[n], w[c], strict=True)), arb(0))
        is_open = not (rows[n] and known)
        z[n, c] = NAN if is_open else b[c] if not b[c].is_finite() else product + b[c]
    found = _solve_loss(case, inputs, z)
    g, terms = (np.asarray(balls, np.object_) for balls in found["gradient_logits"])
    made = {
        "value": found["value"],
        "gradient_hidden": (g @ w, terms @ abs(w)),
        "gradient_linear_weight": (g.T @ h, terms.T @ abs(h)),
    }
    if inputs.linear_bias is not None:
        made["gradient_linear_bias"] = _sum(g, 0), _sum(terms, 0)
    return {name: Enclosure(balls, sizes) for name, (balls, sizes) in made.items()}


def _is_agreed(row: Balls) -> bool:
    """No NaN, no +inf, and not all of them −inf."""
    return not any(x.is_nan() or x == INF for x in row) and any(x != -INF for x in row)


def _log_sum_exp(x: Balls) -> Balls:
    """Log Σ exp x over the last axis, kept; NaN in rows without an agreed answer."""
    full = np.empty((*x.shape[:-1], 1), np.object_)
    for index in np.ndindex(x.shape[:-1]):
        row = x[index]
        full[(*index, 0)] = _log(sum(map(_exp, row), arb(0))) if _is_agreed(row) else NAN
    return full


def _log_softmax(x: Balls) -> tuple[Balls, Balls, Balls]:
    """Return log Σ exp x, log p and p."""
    lse = _log_sum_exp(x)
    log_p = _each(lambda y, total: NAN if total.is_nan() else _minus(y, total), x, lse)
    return lse, log_p, _each(_exp, log_p)


def _solve_array(case: Case, _: Inputs, x: Balls) -> dict[str, tuple[Balls, Balls]]:
    lse, log_p, p = _log_softmax(x)
    if case.operation == "logsumexp":
        # max x and what the other classes add to it may cancel
        finite = _each(lambda y: abs(y) if y.is_finite() else arb(0), x)
        value, v = lse[..., 0], _balls(case.cotangent(lse.shape[:-1]))
        gradient = v[..., None] * p
        terms = np.asarray(finite.max(axis=-1, initial=arb(0)), np.object_)
        return {"value": (value, terms), "gradient_logits": (gradient, gradient)}
    v = np.moveaxis(_balls(case.cotangent(case.shape)), case.class_axis, -1)
    if case.operation == "softmax":
        gradient = p * (v - _sum(v * p, -1)[..., None])
        terms = p * (abs(v) + _sum(abs(v) * p, -1)[..., None])
        return {"value": (p, p), "gradient_logits": (gradient, terms)}
    gradient = v - p * _sum(v, -1)[..., None]
    terms = abs(v) + p * _sum(abs(v), -1)[..., None]
    return {"value": (log_p, log_p), "gradient_logits": (gradient, terms)}


def _solve_loss(case: Case, inputs: Inputs, x: Balls) -> dict[str, tuple[Balls, Balls]]:
    """Σ_c W_c·ℓ_c of each row, W = weight·target; NaN in rows whose target holds one."""
    smoothing = arb(case.options.label_smoothing)
    weight, counts, w, divisor = _weights(case, inputs, x.shape)
    if case.options.is_of_language_models:
        losses, beside, slopes, terms = _of_language_models(case, x, w)
    else:
        (losses, slopes, terms), beside = _losses(case, x, w), _scalar(arb(0))
    rows = _sum(_each(_times, w, losses), -1) + beside
    # a row that does not count gives 0, whatever its logits
    rows = np.where(counts == 1, rows, arb(0))
    slopes = np.where(counts[..., None] == 1, slopes, arb(0))
    unknown = _is_unknown(w)
    rows = np.where(unknown, NAN, rows)
    slopes, losses = (np.where(unknown[..., None], NAN, balls) for balls in (slopes, losses))
    value, v = rows, _balls(case.cotangent(rows.shape))[..., None]
    if case.options.reduction != "none":
        value, v = _scalar(_over(_sum(rows).item(), divisor)), _scalar(_SEED)
    over = _scalar(divisor)
    found = {
        "value": (value, value),
        "gradient_logits": (_each(_over, slopes * v, over), _each(_over, terms * abs(v), over)),
    }
    if case.target_kind == "soft":
        by_target = _each(_over, _each(_times, (1 - smoothing) * weight, losses) * v, over)
        found["gradient_target"] = by_target, by_target
    return found


def _weights(case: Case, inputs: Inputs, shape: tuple[int, ...]) -> tuple[Balls, Balls, Balls, arb]:
    """Return the weight of each class, which rows count, W, and what the mean divides by."""
    classes = shape[-1]
    weight = _balls(np.ones(classes) if inputs.weight is None else inputs.weight)
    smoothing = arb(case.options.label_smoothing)
    counts, target = _target(case, inputs, shape)
    share = smoothing / max(classes, 1) * counts[..., None]
    w = weight * ((1 - smoothing) * target + share)
    divisor = arb(1)
    if case.options.reduction == "mean":
        index, given = case.target_kind == "index", case.options.denominator
        divisor = _divisor(case, weight * target) if index else arb(counts.size)
        divisor = divisor if given is None else arb(given)
    return weight, counts, w, divisor


def _is_unknown(w: Balls) -> NDArray[np.bool_]:
    """Whether a row holds a NaN."""
    return np.array(
        [any(ball.is_nan() for ball in row) for row in w.reshape(-1, w.shape[-1])]
    ).reshape(w.shape[:-1])


def _divisor(case: Case, weights: Balls) -> arb:
    """Return Σ w; NaN where its n addends may cancel to nothing, |Σ w| ≤ n·u·Σ|w|."""
    total, size = arb(0) + _sum(weights).item(), arb(0) + _sum(abs(weights)).item()
    addends = sum(1 for weight in weights.flat if weight != 0)
    bits = {"float64": 53}.get(case.dtype, 24)  # 16-bit numbers are summed in float32
    return total if abs(total) > addends * arb((1, -bits)) * size else NAN


def _target(case: Case, inputs: Inputs, shape: tuple[int, ...]) -> tuple[Balls, Balls]:
    """Return which rows count, as 0 and 1, and the target of each class."""
    assert inputs.target is not None
    if case.target_kind != "index":
        target = np.moveaxis(_balls(inputs.target), case.class_axis, -1)
        return _balls(np.ones(shape[:-1])), target
    counts = _balls(inputs.target != case.options.ignore_index)
    hot = _balls(np.arange(shape[-1]) == inputs.target[..., None])
    return counts, hot * counts[..., None]


def _losses(case: Case, x: Balls, w: Balls) -> tuple[Balls, Balls, Balls]:
    """Return ℓ of each class, ∂(Σ W ℓ)/∂x, and the magnitudes of the terms of that."""
    if case.contract.domain == "log_probs":
        return -x, -w, w
    if case.contract.domain == "probs":
        slopes = _each(lambda a, p: _times(-a, _over(arb(1), p)), w, x)
        return -_each(_log, x), slopes, slopes
    _, log_p, p = _log_softmax(x)
    total = _sum(w, -1)[..., None]
    return -log_p, p * total - w, p * total + w


def _of_language_models(case: Case, x: Balls, w: Balls) -> tuple[Balls, Balls, Balls, Balls]:
    """Return ℓ of z = c·tanh(s·x/c), λ·lse² of each row, the gradient and its terms."""
    s, c, z_loss = (
        arb(1 if number is None else number)
        for number in (case.options.logit_scale, case.options.logit_softcap, case.options.z_loss)
    )
    z, slope = s * x, _scalar(s)
    if case.options.logit_softcap is not None:
        open_rows = _each(lambda y: NAN if y.is_nan() or abs(y) == INF else y, x)
        z = _each(lambda y: c * (s * y / c).tanh(), open_rows)
        # 1 − tanh² is 1/cosh², which needs no more bits where it is tiny, and is 0 to any format.
        slope = _each(
            lambda y: arb(0) if abs(s * y / c) > 10**6 else s / (s * y / c).cosh() ** 2,
            open_rows,
        )
    lse, log_p, p = _log_softmax(z)
    total, pull = _sum(w, -1)[..., None], 2 * z_loss * lse
    gradient, terms = p * (total + pull) - w, p * (abs(total) + abs(pull)) + abs(w)
    return -log_p, (z_loss * lse * lse)[..., 0], gradient * slope, terms * slope


def _scalar(ball: arb) -> Balls:
    return np.array(ball, np.object_)


def _sigmoid(x: arb) -> arb:
    return x if x.is_nan() else _over(arb(1), 1 + _exp(-x))


def _log_sigmoid(x: arb) -> arb:
    return x if x.is_nan() or x == -INF else _log(_sigmoid(x))


def _solve_elements(case: Case, inputs: Inputs) -> dict[str, Enclosure]:
    x = _balls(inputs.values)
    if case.contract.is_loss:
        return _solve_multi_label(case, inputs, x)
    value, slope = {
        "exp": (_exp, _exp),
        "sigmoid": (_sigmoid, lambda y: _sigmoid(y) * _sigmoid(-y)),
        "log_sigmoid": (_log_sigmoid, lambda y: _sigmoid(-y)),
    }[case.operation]
    v = _balls(case.cotangent(case.shape))
    found = {"value": _each(value, x), "gradient_logits": v * _each(slope, x)}
    return {name: Enclosure(balls, balls) for name, balls in found.items()}


def _solve_multi_label(case: Case, inputs: Inputs, x: Balls) -> dict[str, Enclosure]:
    """−w·[p·z·log σ(x) + (1−z)·log(1−σ(x))]; 1 − σ(x) is written σ(−x)."""
    assert inputs.target is not None
    shape = np.ones(len(case.shape), int)
    shape[case.class_axis] = -1
    ones = np.ones(case.shape[case.class_axis])
    w, p = (
        _balls(ones if given is None else given).reshape(shape)
        for given in (inputs.weight, inputs.pos_weight)
    )
    smoothing = arb(case.options.label_smoothing)
    z = _balls(inputs.target) * (1 - smoothing) + smoothing / 2
    if case.contract.domain == "logits":
        log_yes, log_no = _each(_log_sigmoid, x), _each(_log_sigmoid, -x)
        by_yes, by_no = _each(_sigmoid, -x), -_each(_sigmoid, x)
    else:
        log_yes, log_no = _each(_log, x), _each(_log, 1 - x)
        by_yes, by_no = _each(_over, x**0, x), _each(_over, -(x**0), 1 - x)

    def combined(yes: Balls, no: Balls, hit: Balls, miss: Balls) -> tuple[Balls, Balls]:
        """−w·(hit·yes + miss·no), and the magnitudes of the two terms."""
        first, second = _each(_times, hit, yes), _each(_times, miss, no)
        sums = first + second, abs(first) + abs(second)
        return _each(_times, -w, sums[0]), _each(_times, w, sums[1])

    losses = combined(log_yes, log_no, p * z, 1 - z)
    slopes = combined(by_yes, by_no, p * z, 1 - z)
    by_target = combined(log_yes, log_no, p * (1 - smoothing), -(z**0) * (1 - smoothing))
    value, v, divisor = losses, _balls(case.cotangent(case.shape)), arb(1)
    if case.options.reduction != "none":
        divisor = arb(x.size) if case.options.reduction == "mean" else arb(1)
        value = 2 * (_scalar(_over(_sum(losses[0]).item(), divisor)),)
        v = _scalar(_SEED)
    over = _scalar(divisor)
    found = {"value": Enclosure(*value)}
    unknown = _each(lambda ball: arb(int(ball.is_nan())), z) == 1
    for name, (balls, terms) in (("gradient_logits", slopes), ("gradient_target", by_target)):
        known = np.where(unknown, NAN, balls)
        scaled = _each(_over, known * v, over), _each(_over, terms * abs(v), over)
        found[name] = Enclosure(*scaled)
    return found


# --- second derivatives ----------------------------------------------------------------------


def _solve_second(case: Case, inputs: Inputs) -> dict[str, Enclosure]:
    t = _balls(case.direction())
    if not case.contract.reads_classes:
        balls = _second_of_elements(case, inputs, t)
        return {"second": Enclosure(balls, balls)}
    x, t = (np.moveaxis(array, case.class_axis, -1) for array in (_balls(inputs.values), t))
    solver = _second_of_loss if case.contract.is_loss else _second_of_array
    balls, terms = (np.moveaxis(array, -1, case.class_axis) for array in solver(case, inputs, x, t))
    return {"second": Enclosure(balls, terms)}


def _moved(p: Balls, t: Balls) -> tuple[Balls, Balls]:
    """Return dp = p (t − Σ p t), and the magnitudes of its terms."""
    mean, size = _sum(p * t, -1)[..., None], _sum(p * abs(t), -1)[..., None]
    return p * (t - mean), p * (abs(t) + size)


def _second_of_array(case: Case, _: Inputs, x: Balls, t: Balls) -> tuple[Balls, Balls]:
    """The product rule, applied to the gradients as they stand above."""
    p = _log_softmax(x)[2]
    dp, terms = _moved(p, t)
    if case.operation == "logsumexp":
        v = _balls(case.cotangent(x.shape[:-1]))[..., None]
        return v * dp, abs(v) * terms
    v = np.moveaxis(_balls(case.cotangent(case.shape)), case.class_axis, -1)
    if case.operation == "log_softmax":
        total = _sum(v, -1)[..., None]
        return -dp * total, terms * abs(total)
    mean, dmean = (_sum(q * v, -1)[..., None] for q in (p, dp))
    size = terms * (abs(v) + abs(mean)) + p * _sum(terms * abs(v), -1)[..., None]
    return dp * (v - mean) - p * dmean, size


def _second_of_loss(case: Case, inputs: Inputs, x: Balls, t: Balls) -> tuple[Balls, Balls]:
    _, counts, w, divisor = _weights(case, inputs, x.shape)
    if case.contract.domain == "logits":
        total = _sum(w, -1)[..., None]
        slope, terms = (total * part for part in _moved(_log_softmax(x)[2], t))
    elif case.contract.domain == "probs":
        slope = _each(lambda a, p, d: _times(a, _over(arb(1), p * p) * d), w, x, t)
        terms = slope
    else:
        slope = terms = x * 0
    counted = counts[..., None] == 1
    slope, terms = np.where(counted, slope, arb(0)), np.where(counted, terms, arb(0))
    slope = np.where(_is_unknown(w)[..., None], NAN, slope)
    v = _scalar(_SEED)
    if case.options.reduction == "none":
        v = _balls(case.cotangent(counts.shape))[..., None]
    over = _scalar(divisor)
    return _each(_over, slope * v, over), _each(_over, abs(terms * v), over)


def _second_of_elements(case: Case, inputs: Inputs, t: Balls) -> Balls:
    x = _balls(inputs.values)
    if case.contract.is_loss:
        return _second_of_multi_label(case, inputs, x, t)
    curve = {
        "exp": _exp,
        "sigmoid": lambda y: _spread(y) * (_sigmoid(-y) - _sigmoid(y)),
        "log_sigmoid": lambda y: -_spread(y),
    }[case.operation]
    return _balls(case.cotangent(case.shape)) * t * _each(curve, x)


def _spread(x: arb) -> arb:
    return _sigmoid(x) * _sigmoid(-x)


def _second_of_multi_label(case: Case, inputs: Inputs, x: Balls, t: Balls) -> Balls:
    assert inputs.target is not None
    shape = np.ones(len(case.shape), int)
    shape[case.class_axis] = -1
    ones = np.ones(case.shape[case.class_axis])
    w, p = (
        _balls(ones if given is None else given).reshape(shape)
        for given in (inputs.weight, inputs.pos_weight)
    )
    z = _balls(inputs.target)
    if case.contract.domain == "logits":
        curve = _each(_times, p * z + (1 - z), _each(_spread, x))
    else:
        curve = sum(
            _each(lambda share, q: _times(share, _over(arb(1), q * q)), *pair)
            for pair in ((z, x), (1 - z, 1 - x))
        )
    v, divisor = _balls(case.cotangent(case.shape)), arb(1)
    if case.options.reduction != "none":
        v = _scalar(_SEED)
        divisor = arb(x.size) if case.options.reduction == "mean" else arb(1)
    return _each(_over, _each(_times, w, curve) * v * t, _scalar(divisor))
