"""Ids of cases that cannot exist: they are no ids, so that nobody draws their inputs."""

from __future__ import annotations

import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite

IMPOSSIBLE = [
    "softmax/float32/-1x3/normal/-/0",
    "softmax/float32/1000000000x1000000000/normal/-/0",
    "softmax/float32/4x10/normal/reduction=sum/0",
    "softmax/float32/4x10/normal/axis=9223372036854775808/0",
    "softmax/float32/4x10/offset@nan/-/0",
    "softmax/float32/4x10/offset@much/-/0",
    "softmax/float32/4x10/sideways@1/-/0",
    "softmax/float32/4x10/normal:x/-/0",
    "softmax/float32/6x3/worked:none/-/0",
    "softmax/float32/6x4/worked:note-6x3-softmax/-/0",
    "softmax/float32/4x10/digits:late/-/0",
    "softmax/float32/4x9/digits:end/-/0",
    "softmax/float32/4x10/file/-/0",
    "cross_entropy/index.soft/float32/4x10/normal/-/0",
    "cross_entropy/soft.random/float32/4x10/normal/-/0",
    "cross_entropy/index.random:complex64/float32/4x10/normal/-/0",
    "cross_entropy/index.random/float32/4x10/normal/weight=positive:object/0",
    "cross_entropy/index.random/float32/4x10/normal/label_smoothing=nan/0",
    "cross_entropy/index.random/float32/4x10/normal/reduction=avg/0",
    "cross_entropy/index.random/float32/4x10/normal/ignore_index=-9223372036854775808/0",
]


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_an_impossible_case_has_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a case"):
        Case.parse(text)


def test_a_wrong_id_is_quoted_in_part() -> None:
    with pytest.raises(ValueError, match="is not the id of a case") as raised:
        Case.parse("softmax/" + "9" * 100_000)

    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("name", ["quick", "full", "worked", "fuzz"])
def test_every_case_of_a_suite_exists(name: str) -> None:
    assert all(Case.parse(case.id) == case for case in suite(name, count=500).cases)
