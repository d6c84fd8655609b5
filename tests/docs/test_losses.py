"""The losses of `examples/losses`: implementations of them, and others that are a little wrong."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from lossdiff.harness.formula import define, forget

import lossdiff

from .pages import ROOT

FOLDER = ROOT / "examples/losses"
DEFINED: dict[str, Any] = runpy.run_path(str(FOLDER / "definitions.py"))["operations"]
# A change of the text of `in_torch.py` that makes one loss wrong.
WRONG = {
    "focal_loss": ("return _reduced(-((1 - log_p.exp()) ** GAMMA) * log_p, reduction)",
                   "return (1 + log_p.mean().expm1()) ** GAMMA * -log_p.mean()"),
    "binary_focal_loss": ("p * (1 - target) + (1 - p) * target", "p"),
    "z_loss": ("torch.logsumexp(logits, 1) ** 2", "torch.logsumexp(logits, 1)"),
    "softcapped_cross_entropy": ("CAP * torch.tanh(logits / CAP)", "logits.clamp(-CAP, CAP)"),
    "distillation_loss": ('"batchmean"', '"mean"'),
    "dice_loss": ("(probs.sum() + target.sum()", "((probs**2).sum() + (target**2).sum()"),
    "info_nce": ("F.normalize(target, dim=1)", "F.normalize(target, dim=0)"),
}  # fmt: skip
QUESTIONS = {
    "focal_loss": "index.random",
    "binary_focal_loss": "multi_label.fractional",
    "z_loss": "index.random",
    "softcapped_cross_entropy": "index.random",
    "distillation_loss": "soft.soft",
    "dice_loss": "multi_label.fractional",
    "info_nce": "real.numbers",
}
FAMILIES = {
    "dice_loss": ("probs", "probs_edge", "grid_probs"),
    "info_nce": ("normal", "normal_100", "grid"),
}


@pytest.fixture(autouse=True)
def definitions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Define the losses for a while, and let `in_torch.py` import its neighbour."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name, said in DEFINED.items():
        define(name, **(said if isinstance(said, dict) else {"formula": said}))
    yield
    sys.modules.pop("definitions", None)
    for name in DEFINED:
        forget(name)


def _function(name: str, before: str = "", after: str = "") -> Any:
    """Return a function of `in_torch.py`, of which a part may be replaced."""
    text = (FOLDER / "in_torch.py").read_text(encoding="utf-8")
    assert text.count(before) == 1 or not before
    module = SimpleNamespace()
    code = compile(text.replace(before, after) if before else text, "in_torch.py", "exec")
    exec(code, vars(module))  # noqa: S102 -- our own example
    return getattr(module, name)


def _questions(name: str) -> list[lossdiff.Question]:
    families = FAMILIES.get(name, ("normal", "one_large", "grid"))
    return [
        lossdiff.Question(f"{name}/{QUESTIONS[name]}/{dtype}/4x10/{family}/-/0", "torch")
        for family in families
        for dtype in ("float32", "float64", "bfloat16")
    ]


def _check(name: str, function: Any) -> None:
    for question in _questions(name):
        question.check(function)


def test_every_definition_has_an_implementation_and_a_wrong_one() -> None:
    assert set(DEFINED) == set(WRONG) == set(QUESTIONS)


@pytest.mark.framework("torch")
@pytest.mark.parametrize("name", DEFINED)
def test_an_implementation_as_it_is_commonly_written_has_no_finding(name: str) -> None:
    function = _function(name)

    _check(name, function)


@pytest.mark.framework("torch")
@pytest.mark.parametrize("name", DEFINED)
def test_one_that_is_a_little_wrong_is_found(name: str) -> None:
    function = _function(name, *WRONG[name])

    with pytest.raises(AssertionError, match="finding"):
        _check(name, function)
