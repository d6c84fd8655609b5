"""A run says which operations its user has defined, and is read without the file that did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.operations import BUILT_IN, OPERATIONS, Operation
from lossdiff.harness.runfile import RunFile, defined_together, written_operations

from lossdiff.errors import RunFileError

MINE = Operation("my_loss", "logits", ("index",), ("reduction",), True, "rows", True)
ID = "my_loss/index.random/float32/4x10/normal/-/0"


@pytest.fixture(autouse=True)
def undefined() -> Iterator[None]:
    """Forget before and after what other tests, and this one, have defined."""
    others = {name: it for name, it in OPERATIONS.items() if name not in BUILT_IN}
    for name in others:
        del OPERATIONS[name]
    yield
    for name in set(OPERATIONS) - set(BUILT_IN):
        del OPERATIONS[name]
    OPERATIONS.update(others)


def _run(path: Path, text: str) -> Path:
    with RunFile.create(path) as run:
        run.set_meta(defined=text)
    return path


def test_a_case_of_a_defined_operation_is_read_where_it_is_not_defined(tmp_path: Path) -> None:
    OPERATIONS["my_loss"] = MINE
    path = _run(tmp_path / "run.sqlite", written_operations())
    del OPERATIONS["my_loss"]

    with RunFile.open(path) as run:
        assert run.case(ID).contract == MINE


def test_a_definition_of_this_process_goes_before_that_of_a_run(tmp_path: Path) -> None:
    path = _run(tmp_path / "run.sqlite", json.dumps({"my_loss": asdict(MINE)}))
    own = OPERATIONS["my_loss"] = replace(MINE, targets=("soft",))

    with RunFile.open(path) as run:
        _ = run.meta

    assert OPERATIONS["my_loss"] is own


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"softmax": asdict(replace(MINE, name="softmax"))},
        {"my_loss": asdict(replace(MINE, name="other"))},
        {"my_loss": asdict(replace(MINE, is_defined=False))},
        {"my_loss": {**asdict(MINE), "result": "cubes"}},
        {"my loss": asdict(replace(MINE, name="my loss"))},
    ],
)
def test_what_no_user_can_have_defined_is_damage(tmp_path: Path, entry: Any) -> None:
    path = _run(tmp_path / "run.sqlite", json.dumps(entry))

    with pytest.raises(RunFileError, match=r"damaged: meta\.defined"), RunFile.open(path) as run:
        run.case(ID)
    assert "softmax" in BUILT_IN
    assert set(OPERATIONS) == set(BUILT_IN)


def test_a_joined_run_knows_the_operations_of_all() -> None:
    other = replace(MINE, name="other")
    metas = [{"defined": json.dumps({it.name: asdict(it)})} for it in (MINE, other)]

    assert set(json.loads(defined_together([*metas, {}]))) == {"my_loss", "other"}
    assert defined_together([{}, {"defined": ""}]) == ""
