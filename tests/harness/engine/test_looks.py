"""What findings look like, of a function that was asked before."""

from __future__ import annotations

import numpy as np
from lossdiff.cases.model import Case
from lossdiff.harness.answers import VALUE
from lossdiff.harness.engine.looks import LooksOfFunctions
from lossdiff.harness.judging import judge, solved_case

MISTAKE = "smoothing is divided by C − 1, not by C"


def loss(logits: np.ndarray, target: np.ndarray, share: float) -> np.ndarray:
    """Smooth over the other classes' number."""
    z = logits - logits.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    smooth = logp.sum(1) / (logits.shape[1] - 1)
    return np.asarray(-((1 - share) * logp[np.arange(len(target)), target] + share * smooth).mean())


def looked(looks: LooksOfFunctions, text: str) -> tuple[str, str]:
    """Return the verdict on the loss of a case, and what it looks like."""
    solved = solved_case(Case.parse(text))
    assert solved.inputs.target is not None
    share = solved.case.options.label_smoothing
    answer = loss(solved.inputs.values, solved.inputs.target, share)
    verdict = judge(solved, VALUE, answer)
    found = looks.of("mine.loss", solved, {VALUE: answer}, [(VALUE, verdict)])
    return verdict.word, found.get(VALUE, "")


def test_a_mistake_that_was_found_is_looked_for_where_lost_digits_explain_as_much() -> None:
    offset = "cross_entropy/index.top/float32/4x10/offset_1e7/label_smoothing=0.1/0"
    normal = "cross_entropy/index.random/float32/4x10/normal/label_smoothing=0.1/0"
    looks = LooksOfFunctions()

    assert looked(looks, offset) == ("formula", "")
    assert looked(looks, normal) == ("inaccurate", MISTAKE)
    assert looked(looks, offset) == ("formula", MISTAKE)
