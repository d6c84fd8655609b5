"""Functions of NumPy arrays that return or raise what nobody expects; loaded by tests only."""

from __future__ import annotations

import sys
import warnings

import numpy as np


class UnprintableError(Exception):
    """An error that fails when its message is read."""

    def __str__(self) -> str:
        raise RuntimeError("no message for you")


class Secret:
    """What another process cannot unpickle."""


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_vjp(cotangent, logits, *, axis=-1):
    p = softmax(logits, axis=axis)
    return (p * (cotangent - (p * cotangent).sum(axis, keepdims=True)),)


def softmax_returns_none(logits):
    return None


def softmax_returns_none_with_gradient(logits):
    return None


softmax_returns_none_with_gradient_vjp = softmax_vjp


def softmax_returns_a_list(logits):
    return softmax(logits).tolist()


def softmax_returns_a_text(logits):
    return "softmax"


def softmax_returns_a_number(logits):
    return 0.5


def softmax_returns_two(logits):
    return softmax(logits), softmax(logits)


def softmax_returns_objects(logits):
    return np.full(logits.shape, Secret(), object)


def softmax_returns_texts(logits):
    return softmax(logits).astype(str)


def softmax_returns_complex_numbers(logits):
    return softmax(logits).astype(complex)


def softmax_returns_records(logits):
    return np.zeros(logits.shape, [("a", float), ("b", object)])


def softmax_in_double(logits):
    return softmax(logits).astype(np.float64)


def softmax_of_the_first_row(logits):
    return softmax(logits)[0]


def softmax_is_wrong(logits):
    return softmax(logits) + np.float32(0.01)


def softmax_changes_its_input(logits):
    logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(-1, keepdims=True)
    return logits


def softmax_raises(logits):
    raise ValueError("\n\n  first line  \nsecond line")


def softmax_raises_without_a_word(logits):
    raise ValueError


def softmax_raises_at_length(logits):
    raise ValueError("x" * 10_000)


def softmax_raises_a_lone_surrogate(logits):
    raise ValueError("bad \ud800 name")


def softmax_raises_the_unprintable(logits):
    raise UnprintableError


def softmax_raises_what_has_no_name(logits):
    class Meta(type):
        @property
        def __name__(cls):
            raise RuntimeError("no name for you")

    raise Meta("No\nname", (Exception,), {})("at all")


def softmax_returns_many_rows_of_nothing(logits):
    return np.zeros((2**40, 0), logits.dtype)


def softmax_leaves(logits):
    sys.exit(0)


def softmax_interrupts(logits):
    raise KeyboardInterrupt


def softmax_raises_a_base_exception(logits):
    raise BaseException("not even an Exception")  # noqa: TRY002 -- that is the point


def softmax_ends_a_generator(logits):
    raise GeneratorExit


def softmax_warns(logits):
    warnings.warn("be careful\nwith this", UserWarning, stacklevel=1)
    warnings.warn("be careful\nagain", UserWarning, stacklevel=1)
    return softmax(logits)


def softmax_without_a_gradient_by_hand(logits):
    return softmax(logits)


def softmax_with_a_failing_gradient(logits):
    return softmax(logits)


def softmax_with_a_failing_gradient_vjp(cotangent, logits):
    raise ArithmeticError("the gradient is lost")


def softmax_with_a_wrong_gradient(logits):
    return softmax(logits)


def softmax_with_a_wrong_gradient_vjp(cotangent, logits):
    return (cotangent,)
