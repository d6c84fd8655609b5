"""Case files at random: a case or one line, and nothing is executed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lossdiff.cases.casefile import read_case
from lossdiff.cases.model import Case

from lossdiff.errors import CaseFileError

from .mutations import COUNT, case_file

_PART = 100


@pytest.mark.parametrize("part", range(0, COUNT, _PART))
def test_a_case_file_is_a_case_or_one_line(tmp_path: Path, part: int) -> None:
    path, mark = tmp_path / "case.npz", tmp_path / "executed"
    cases = 0
    for number in range(part, min(part + _PART, COUNT)):
        draw = random.Random(number)  # noqa: S311 -- reproducible
        path.write_bytes(case_file(draw, mark))
        try:
            case = read_case(path)
        except CaseFileError as error:
            line = str(error)
            assert line.startswith(str(path)), number
            assert "\n" not in line, number
            assert len(line) < 700, number
        else:
            assert Case.parse(case.id).shape == case.inputs().values.shape, number
            cases += 1
        assert not mark.exists(), number

    assert 0 < cases < COUNT
