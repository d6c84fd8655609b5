"""Built-in operations by their formulas, compared with the oracle and the bounds by hand."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds import SOUND, bound, precision_of
from lossdiff.harness.formula import ByFormula
from lossdiff.harness.oracle import solve

_LEAST, _MOST = 0.25, 4.0  # docs/numerics.md tells the ratios of each operation
IDS = [
    "softmax/float32/3x10x2/normal/axis=1/0",
    "logsumexp/float16/4x10/far_tail/-/0",
    "sigmoid/bfloat16/4x10/normal_100/-/0",
    "cross_entropy/index.some_ignored/float32/4x10/normal/weight=positive,label_smoothing=0.1/0",
    "cross_entropy/soft.soft/float64/4x10/normal/weight=with_zeros,reduction=none/0",
    "cross_entropy/index.random/float32/4x10/normal_100/logit_softcap=30.0,z_loss=0.0001/0",
    "nll_loss/index.some_ignored/float32/2x3x5/log_probs/weight=huge,reduction=sum/0",
    "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/normal/pos_weight=positive/0",
    "binary_cross_entropy/multi_label.fractional/float32/4x10/probs/-/0",
    "cross_entropy_probs/one_hot.random/float64/4x10/probs/reduction=sum/0",
]


@pytest.mark.parametrize("case_id", IDS)
def test_the_formula_has_the_answer_and_a_bound_of_the_size_of_that_by_hand(case_id: str) -> None:
    case = Case.parse(case_id)
    solution = solve(case, case.inputs())
    shape = solution.quantities["value"].shape
    formula = ByFormula(case, case.inputs(), shape)
    found = dict(formula.quantities())

    for quantity, answer in found.items():
        exact = solution.quantities[quantity]
        off = np.abs((answer - exact).to_float())
        assert (off <= 2.0**-93 * np.abs(exact.to_float())).all()
        by_hand = bound(case, solution, quantity, SOUND)
        by_machine = formula.bound(quantity, precision_of(case.dtype, SOUND))
        assert by_machine.shape == by_hand.shape == exact.shape
        ratio = (by_machine / by_hand)[exact.hi != 0]  # a 0 has no rounding by machine
        assert _LEAST <= np.median(ratio) <= _MOST
