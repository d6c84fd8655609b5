"""Every usual mistake can be tried on every question: none of them breaks the judge."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.operations import Options
from lossdiff.harness.judging import SolvedCase, looks_like

CHOICES = (
    Options(z_loss=0.5),
    Options(z_loss=0.5, reduction="none"),
    Options(z_loss=0.5, reduction="none", denominator=7.0, logit_softcap=2.5, weight="positive"),
    Options(label_smoothing=0.1, reduction="none", ignore_index=0),
    Options(label_smoothing=0.1, reduction="sum", logit_scale=0.25, z_loss=1e-4),
)


@pytest.mark.parametrize("options", CHOICES, ids=lambda it: ",".join(it.given()))
@pytest.mark.parametrize("shape", [(4, 10), (3, 5, 2)], ids=str)
def test_an_answer_that_is_like_nothing_is_compared_with_all(
    options: Options, shape: tuple[int, ...]
) -> None:
    case = Case("cross_entropy", "normal", shape, "float64", "index", "random", options)
    solved = SolvedCase(case, case.inputs())
    for quantity, right in solved.solution.quantities.items():
        wrong = np.full(right.hi.shape, 12345.0)
        assert not looks_like(solved, quantity, wrong)
