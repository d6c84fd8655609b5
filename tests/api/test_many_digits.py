"""`lossdiff.exact` to more digits than the oracle has, of numbers that no float holds."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.operations import BUILT_IN

import lossdiff

LOGITS = np.array([[0.5, -1.25, 3.0], [40.0, -3.0, 0.0]])
PROBS = np.array([[0.25, 0.5, 0.125], [0.0625, 0.9375, 0.5]])
TARGETS: dict[str, Any] = {
    "index": [2, -100], "one_hot": [[0.0, 0, 1], [1, 0, 0]],
    "soft": [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], "multi_label": [[0.0, 1, 0.5], [1, 0.25, 0]],
}  # fmt: skip
VALUES = {"logits": LOGITS, "probs": PROBS, "log_probs": np.log(PROBS), "hidden": LOGITS}
WEIGHT = np.array([[0.5, 0.25, 2.0], [1.5, -1.0, 0.0], [-0.75, 0.1, 0.3]])
OPTIONS: dict[str, Any] = {
    "label_smoothing": 0.1, "weight": [1.0, 0.5, 2.0], "pos_weight": [2.0, 1.0, 3.0],
    "ignore_index": -100, "axis": 0, "logit_scale": 0.5, "logit_softcap": 30, "z_loss": 0.1,
    "denominator": 7, "linear_bias": [0.5, -0.1, 0.0],
}  # fmt: skip


def _questions() -> list[tuple[str, str | None, dict[str, Any]]]:
    found: list[tuple[str, str | None, dict[str, Any]]] = []
    for name, operation in BUILT_IN.items():
        for kind in operation.targets or (None,):
            given = [it for it in operation.options if it in OPTIONS]
            if kind != "index":
                given = [it for it in given if it in {"axis", "label_smoothing"} or "weight" in it]
            if kind == "index" and name == "cross_entropy_probs":
                given = [it for it in given if it != "ignore_index"]
            found.append((name, kind, {it: OPTIONS[it] for it in given}))
    return found


@pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "with all options"])
@pytest.mark.parametrize(("operation", "kind", "options"), _questions())
def test_the_digits_begin_with_those_of_the_oracle(
    operation: str, kind: str | None, options: dict[str, Any], is_plain: bool
) -> None:
    contract = BUILT_IN[operation]
    target = None if kind is None else TARGETS[kind]
    if kind == "index" and "ignore_index" not in contract.options:
        target = [2, 0]
    given = {} if is_plain else dict(options)
    if kind is not None:
        given["target_kind"] = kind
    if contract.is_linear:
        given["linear_weight"] = WEIGHT

    few = lossdiff.exact(operation, VALUES[contract.domain], target, **given)
    many = lossdiff.exact(operation, VALUES[contract.domain], target, digits=60, **given)

    assert few.float64.keys() == many.float64.keys()
    for quantity in few.float64:
        short, long = (getattr(it, quantity) for it in (few, many))
        if short is not None:
            with localcontext() as context:
                context.prec = 22
                assert np.array_equal(+np.asarray(short), +np.asarray(long))


@pytest.mark.framework("torch")  # which brings mpmath
def test_the_digits_are_those_of_mpmath() -> None:
    import mpmath

    with mpmath.workdps(120):
        row = [mpmath.mpf(1) / 3, mpmath.mpf("-2.1"), mpmath.mpf(700)]
        total = mpmath.fsum(map(mpmath.exp, row))
        right = mpmath.nstr(mpmath.log(total) - row[0], 100, strip_zeros=False)
        slope = mpmath.nstr(mpmath.exp(row[1]) / total, 100)

        found = lossdiff.exact("cross_entropy", [row], [0], digits=100)

    assert abs(found.value - Decimal(right)) < Decimal("1e-97")
    with localcontext() as context:
        context.prec = 120
        assert abs(found.gradient_logits[0, 1] / Decimal(slope) - 1) < Decimal("1e-98")


@pytest.mark.parametrize(
    "third", [Fraction(1, 3), "0." + "3" * 200, Decimal("0." + "3" * 200)], ids=repr
)
def test_numbers_are_taken_to_their_last_digit(third: Any) -> None:
    found = lossdiff.exact("exp", [third], digits=50)

    with localcontext() as context:
        context.prec = 50
        assert found.value[0] == (Decimal(1) / 3).exp()


def test_a_mask_and_several_axes_keep_the_digits() -> None:
    row = ["0.1", "0.2", "0.3", "0.4"]
    square = [row[:2], row[2:]]
    flat = lossdiff.exact("logsumexp", row, digits=40)
    masked = lossdiff.exact("logsumexp", [*row, "9"], where=[True] * 4 + [False], digits=40)
    labels: dict[str, Any] = {"digits": 40, "where": [True, False]}

    assert lossdiff.exact("logsumexp", square, axis=(0, 1), digits=40).value == flat.value
    assert masked.value == flat.value
    assert masked.gradient_logits[:4].tolist() == flat.gradient_logits.tolist()
    found = lossdiff.exact("cross_entropy", square, [0, 1], **labels)
    assert found.value == lossdiff.exact("cross_entropy", square[:1], [0], digits=40).value


def test_a_dtype_rounds_what_is_written() -> None:
    text, number = (lossdiff.exact("exp", [it], dtype="float32").value[0] for it in ("0.1", 0.1))

    assert text == number
