"""Formulas that exercise every step, each with its targets and its domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lossdiff.harness.formula import Definition, define, forget
from lossdiff.harness.formula import functions as f

A = Any


def cross_entropy(x: A, target: A) -> A:
    return -f.take(f.log_softmax(x), target)


def binary(x: A, target: A) -> A:
    return target * f.softplus(-x) + (1.0 - target) * f.softplus(x)


def focal(x: A, target: A) -> A:
    log_p = f.take(f.log_softmax(x), target)
    return -((-f.expm1(log_p)) ** 2) * log_p


def general(x: A, target: A) -> A:
    return (1.0 - f.take(f.softmax(x), target) ** 0.7) / 0.7


def z_loss(x: A) -> A:
    return 1e-4 * f.mean(f.logsumexp(x) ** 2)


def softcap(x: A, target: A) -> A:
    return cross_entropy(30.0 * f.tanh(x / 30.0), target)


def divergence(x: A, target: A) -> A:
    log_q = f.log_softmax(x / 2.0)
    safe = f.where(target > 0, target, 1.0)
    return 4.0 * f.dot(target, f.log(safe) - log_q)


def dice(x: A, target: A) -> A:
    p = f.sigmoid(x)
    return 1.0 - (2.0 * f.sum(p * target) + 1.0) / (f.sum(p) + f.sum(target) + 1.0)


def hinge(x: A, target: A) -> A:
    others = f.where(f.one_hot(target) > 0, -1e30, x)
    return f.maximum(0.0, 1.0 + f.max(others, axis=1) - f.take(x, target))


def huber(x: A, target: A) -> A:
    off = abs(x - target)
    return f.where(off < 0.75, off * off / 2.0, 0.75 * (off - 0.375))


def contrast(x: A) -> A:
    """Cross-entropy of cosines among the rows."""
    unit = x / f.sqrt(f.sum(x * x, axis=1, keepdims=True))
    alike = f.matmul(unit, unit.T) / 0.5
    return f.mean(f.logsumexp(alike) - f.log1p(f.exp(f.max(alike, axis=1) / 9.0)))


def distillation(x: A, target: A) -> A:
    """The divergence of a student's classes from those of a teacher's logits."""
    of_student, of_teacher = f.log_softmax(x / 2.0), f.log_softmax(target / 2.0)
    return 4.0 * f.dot(f.exp(of_teacher), of_teacher - of_student)


def preference(x: A, target: A) -> A:
    """The loss of a policy that is to prefer the second class more than a reference does."""
    margin = (x[:, 1] - x[:, 0]) - (target[:, 1] - target[:, 0])
    return -f.log_sigmoid(0.1 * margin) + 1e-3 * f.sum(x[:, 2:] * target[::-1, -1:], axis=-1)


FORMULAS: dict[str, tuple[A, tuple[str, ...], str]] = {
    "my_cross_entropy": (cross_entropy, ("index", "one_hot", "soft"), "logits"),
    "my_binary": (binary, ("multi_label",), "logits"),
    "my_focal": (focal, ("index",), "logits"),
    "my_general": (general, ("index", "one_hot"), "logits"),
    "my_z_loss": (z_loss, (), "logits"),
    "my_softcap": (softcap, ("index",), "logits"),
    "my_divergence": (divergence, ("soft",), "logits"),
    "my_dice": (dice, ("multi_label",), "logits"),
    "my_hinge": (hinge, ("index",), "logits"),
    "my_huber": (huber, ("multi_label",), "probs"),
    "my_distillation": (distillation, ("real",), "logits"),
    "my_preference": (preference, ("real",), "logits"),
    "my_contrast": (contrast, (), "logits"),
}
TARGETS = {
    "index": "random",
    "one_hot": "random",
    "soft": "soft",
    "multi_label": "fractional",
    "real": "numbers",
}


@contextmanager
def defined(name: str) -> Iterator[Definition]:
    """Define a formula of the table for a while."""
    formula, targets, domain = FORMULAS[name]
    try:
        yield define(name, formula, targets=targets, domain=domain)
    finally:
        forget(name)


def ids_of(name: str, family: str, dtype: str, shape: str = "4x10") -> list[str]:
    """Return the ids of a case for each kind of target; `family` is one of logits."""
    _, kinds, domain = FORMULAS[name]
    family = family if domain == "logits" else "probs"
    rest = f"{dtype}/{shape}/{family}/-/0"
    return [f"{name}/{kind}.{TARGETS[kind]}/{rest}" for kind in kinds] or [f"{name}/{rest}"]
