"""Scale and cap logits: z = s·x, or z = c·tanh(s·x/c), with its slope and without cancellation.

With t = s·x/c and q = exp(−2|t|):

- tanh |t| = −expm1(−2|t|)/(1 + q), and the slope is ∂z/∂x = s·(1 − tanh² t) = 4 s q/(1 + q)²;
- the distance of two capped logits, c·(tanh t − tanh t'), is a sum where the signs of t and t'
  differ. Where they agree, it is c·2q·(−expm1(−2|t − t'|))/((1 + q)(1 + q')), in which q belongs to
  the smaller of |t| and |t'|. So capped logits that agree in all digits of float64 still have a
  distance with all of its digits.

Relative errors are below 2^-94 for |t| up to 2^9, beyond which q is negligible.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, Inexact, getcontext, localcontext

import numpy as np

from .double_double import Exact, where
from .pairs import Floats

_NOTHING = 10**4  # exp(−d) beyond it is below 10^-4342, negligible next to any float64
_GUARD = 40  # further digits of decimals, so that a distance is good to as many as are asked for
_LOST_WHEN_CAPPED = 8  # bits: an exponential of a capped distance d is good to d·2^-94 only
_LOST = 19


@dataclass(frozen=True)
class Transform:
    """What becomes of logits before their softmax.

    Attributes:
        scale: s > 0.
        softcap: c > 0; None for no cap.

    >>> Transform(2.0, 3.0).of(np.array([0.0, 1e9])).to_float()
    array([0., 3.])
    """

    scale: float = 1.0
    softcap: float | None = None

    @property
    def most_lost(self) -> int:
        """How many bits a sum of transformed logits' probabilities may lose to cancellation."""
        return _LOST if self.softcap is None else _LOST_WHEN_CAPPED

    def plain(self, x: Floats) -> Exact:
        """Return finite logits x as exact numbers, before they are transformed."""
        return Exact.of(x)

    def of(self, x: Floats) -> Exact:
        """Return z, in the shape of finite logits x."""
        if self.softcap is None:
            return self.plain(x) * self.scale
        t = self._argument(x)
        return _tanh(t) * self.softcap

    def slope(self, x: Floats) -> Exact:
        """Return ∂z/∂x, in the shape of finite logits x."""
        if self.softcap is None:
            return Exact.of(np.full(x.shape, self.scale))
        q = _decay(self._argument(x))
        return q * (4.0 * self.scale) / ((q + 1.0) * (q + 1.0))

    def distance(self, top: Floats, x: Floats) -> Exact:
        """Return z(top) − z(x) for finite logits, in the shape to which both broadcast."""
        top = np.broadcast_to(top, x.shape)
        apart = self._apart(top, x) * self.scale
        if self.softcap is None:
            return apart
        high, low = self._argument(top), self._argument(x)
        both = high.hi * low.hi >= 0
        nearer = where((abs(high) - abs(low)).hi < 0, _decay(high), _decay(low))
        product = (_decay(high) + 1.0) * (_decay(low) + 1.0)
        same = nearer * 2.0 * -_expm1(abs(apart / self.softcap)) / product
        same = where(apart.hi < 0, -same, same)
        return where(both, same, _tanh(high) - _tanh(low)) * self.softcap

    def _argument(self, x: Floats) -> Exact:
        assert self.softcap is not None  # noqa: S101 -- the callers have checked
        return self.plain(x) * self.scale / self.softcap

    def _apart(self, top: Floats, x: Floats) -> Exact:
        """Return the distance of finite logits, in the shape that both have."""
        return Exact.of(top) - Exact.of(x)

    def _plain_decimal(self, x: float) -> Decimal:
        return Decimal(x)

    def decimal(self, x: float) -> Decimal:
        """Return z of one finite logit in the digits of the current context."""
        with localcontext() as context:
            context.prec += _GUARD
            z = self._decimal(x)
        return +z

    def decimal_distance(self, top: float, x: float) -> Decimal:
        """Return z(top) − z(x) of two finite logits in the digits of the current context."""
        if self.softcap is None:
            return self._decimal_apart(top, x) * Decimal(self.scale)
        digits = _GUARD + max(Decimal(self.softcap).adjusted(), 0)
        with localcontext() as context:
            context.prec += digits
            apart = self._decimal(top) - self._decimal(x)
        if apart:
            getcontext().flags[Inexact] = True
        return +apart

    def decimal_slope(self, x: float) -> Decimal:
        """Return ∂z/∂x at one finite logit in the digits of the current context."""
        if self.softcap is None:
            return Decimal(self.scale)
        t = abs(self._plain_decimal(x) * Decimal(self.scale) / Decimal(self.softcap))
        q = (-2 * t).exp() if t < _NOTHING else Decimal(0)
        return 4 * Decimal(self.scale) * q / ((1 + q) * (1 + q))

    def _decimal_apart(self, top: float, x: float) -> Decimal:
        return Decimal(top) - Decimal(x)

    def _decimal(self, x: float) -> Decimal:
        number = self._plain_decimal(x) * Decimal(self.scale)
        if self.softcap is None or not number:
            return number
        cap = Decimal(self.softcap)
        with localcontext() as context:
            t = number / cap
            # 1 − exp(−2t) loses as many digits as 2t has zeros behind the point.
            context.prec += max(-t.adjusted(), 0)
            q = (-2 * abs(t)).exp() if abs(t) < _NOTHING else Decimal(0)
            capped = cap * (1 - q) / (1 + q)
        return capped.copy_sign(number)


UNCHANGED = Transform()


def transform_of(scale: float, softcap: float | None) -> Transform:
    """Return a transform; the same object where nothing is changed."""
    return UNCHANGED if scale == 1.0 and softcap is None else Transform(scale, softcap)


def _decay(t: Exact) -> Exact:
    """Return exp(−2|t|)."""
    return (abs(t) * -2.0).exp()


def _expm1(size: Exact) -> Exact:
    """Return exp(−2·size) − 1."""
    return (size * -2.0).expm1()


def _tanh(t: Exact) -> Exact:
    size = -_expm1(abs(t)) / (_decay(t) + 1.0)
    return where(t.hi < 0, -size, size)
