"""A worker imports a function from its file or its module, and from nowhere else."""

from __future__ import annotations

import functools
import statistics
from pathlib import Path
from typing import Any

import pytest

import lossdiff
from lossdiff._api.isolated import place_of_function
from lossdiff.errors import ArgumentValueError

from .test_checking import softmax, softmax_unshifted


def test_a_function_of_a_file_is_found_by_its_path() -> None:
    place, _, name = place_of_function(softmax).rpartition(":")

    assert Path(place) == Path(__file__).with_name("test_checking.py").resolve()
    assert name == "softmax"


def test_a_function_that_is_installed_is_found_by_its_module() -> None:
    assert place_of_function(statistics.fmean) == "statistics:fmean"


half_softmax = functools.partial(softmax, axis=0)


def test_an_object_is_found_by_the_name_that_a_module_gives_it() -> None:
    place, _, name = place_of_function(half_softmax).rpartition(":")

    assert Path(place) == Path(__file__).resolve()
    assert name == "half_softmax"


def test_what_no_worker_can_import_is_refused_with_one_line() -> None:
    def inner(x: Any) -> Any:
        return x

    for given, name in ((inner, "inner"), (lambda x: x, "lambda"), (object().__str__, "__str__")):
        with pytest.raises(ArgumentValueError, match=f"cannot import .*{name}"):
            lossdiff.check_implementation(given, "softmax", framework="numpy", isolate=True)


def test_a_function_is_judged_in_a_worker_as_check_does_it() -> None:
    result = lossdiff.check_implementation(
        softmax_unshifted, "softmax", framework="numpy", isolate=True, dtypes={"float32"}, ranks={2}
    )

    assert {row.dtype for row in result.verdicts if row.verdict != "unsupported"} == {"float32"}
    assert {row.verdict for row in result.findings} == {"nonfinite", "relation:shift"}
    assert "looks like: no shift" in str(result)
