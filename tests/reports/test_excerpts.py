from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.runfile.file import RunFile
from lossdiff.reports.excerpts import SHOWN, excerpt

WIDE = Case("softmax", "nan", (3, 40), "float32")


def test_the_worst_element_stands_in_the_middle() -> None:
    with RunFile.in_memory() as run:
        shown = excerpt(run, WIDE.id, "[1, 20]")
    assert shown
    assert (shown.row, shown.worst, shown.total) == ("row [1]", 20, 40)
    assert shown.start == 20 - SHOWN // 2


@pytest.mark.parametrize("family", ["nan", "pos_inf", "neg_inf", "one_large"])
def test_where_no_element_is_named_the_one_that_tells_most_is_shown(family: str) -> None:
    case = Case("softmax", family, (3, 40), "float32")
    values = np.abs(case.inputs().values)
    telling = np.where(np.isfinite(values), values, np.inf)
    with RunFile.in_memory() as run:
        shown = excerpt(run, case.id, "")
    assert shown
    row, place = np.unravel_index(int(np.argmax(telling)), values.shape)
    assert shown.row == f"row [{row}]"
    assert shown.start <= place < shown.start + SHOWN
