from __future__ import annotations

import pytest
from lossdiff.cases.families import VALUES
from lossdiff.cases.targets import LABELS, NUMERIC, WRONG_SHAPES
from lossdiff.reports.columns import INVALID, column_name, column_of

DUE = "an error is due"
TARGETS = {name: it.why for name, it in {**LABELS, **NUMERIC}.items()}


@pytest.mark.parametrize(
    "target", sorted({n for n, why in TARGETS.items() if DUE in why} | {*WRONG_SHAPES})
)
def test_a_target_that_is_no_valid_input_has_a_column_of_its_own(target: str) -> None:
    column = column_of(
        column_name("normal", f"cross_entropy/index.{target}/f/4x10/normal/-/0", "4x10")
    )
    assert (column.name, column.group) == (f"target {target}", INVALID)


def test_only_invalid_input_stands_there() -> None:
    valid = TARGETS.keys() - {"too_large", "negative"}
    for name in valid:
        column = column_of(
            column_name("normal", f"cross_entropy/index.{name}/f/4x10/normal/-/0", "4x10")
        )
        assert (column.group == INVALID) == (DUE in TARGETS[name]), name
    invalid = {name for name in VALUES if column_of(name).group == INVALID}
    assert invalid == {name for name, it in VALUES.items() if DUE in it.why}


def test_hidden_states_that_make_difficult_logits_stand_beside_such_logits() -> None:
    column = column_of("cancelling")

    assert (column.group, column.why) == ("far and large", "inner products that nearly cancel")
    assert column_of("normal").group == "everyday"
