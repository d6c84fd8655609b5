"""Every call that PyTorch's own tests make of the operations can be asked, in both dtypes.

`scripts/opinfo_samples.py` recorded the calls; the numbers in the arrays are drawn here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.operations import OPERATIONS

import lossdiff

SAMPLES = json.loads(Path(__file__).with_name("opinfo_samples.json").read_text(encoding="utf-8"))
DTYPES = ("float32", "float64")
RNG = np.random.default_rng(0)


def called(sample: dict[str, Any], dtype: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a sample, with arrays of a dtype."""
    contract, given = OPERATIONS[sample["operation"]], dict(sample["given"])
    classes = (sample["shape"] or [1])[min(1, len(sample["shape"]) - 1)] or 1
    if "dtype" in given:
        given["dtype"] = dtype
    for name, it in given.items():
        if isinstance(it, dict):
            numbers = RNG.random(it["shape"]) + (name != "target")
            labels = RNG.integers(classes, size=it["shape"])
            given[name] = labels if it["is_whole"] else np.asarray(numbers, dtype)
    x = RNG.random(sample["shape"])
    values = np.asarray(-x if contract.domain == "log_probs" else x, dtype)
    return [sample["operation"], values, given.pop("target", None)], given


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_sample_of_pytorch_can_be_asked(dtype: str) -> None:
    taken = 0
    for sample in SAMPLES:
        arguments, options = called(sample, dtype)
        value = lossdiff.exact(*arguments, **options).float64["value"]
        assert value.shape == tuple(sample["result"]), sample
        taken += sample["times"]

    assert taken * len(DTYPES) == 342  # all of PyTorch 2.13


def test_what_numpy_has_for_them_has_no_finding() -> None:
    for sample in SAMPLES[::3]:
        arguments, options = called(sample, "float32")
        rows = lossdiff.ask(*arguments, **options, frameworks=["numpy"]).rows
        assert not [it for it in rows if it.verdict in ("raised", "mismatched", "inaccurate")]
