"""What travels between the processes is plain data, and is checked when it is read."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure, Observation, OtherAnswer, ProbeAnswers, fingerprint
from lossdiff.harness.workers.messages import Catalogue, Question
from lossdiff.harness.workers.wire import (
    BatchReply,
    Changes,
    PackedArray,
    PackedObservation,
    Raised,
    Reply,
    decode,
    encode,
    pack,
    pack_observation,
    result_of,
    unpack,
    unpack_observation,
)

from lossdiff.errors import DeviceAbsentError, LostError, UserFileError

QUESTION = Question("mine.softmax", "eager", Case.parse("softmax/float32/4x10/normal/-/0"))
DTYPES = ("float16", "float32", "float64", ">f4", "int64", "bool", "uint8", ml_dtypes.bfloat16)
VALUE = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_an_array_comes_back_with_its_bits(dtype: Any, data: st.DataObject) -> None:
    shape = data.draw(array_shapes(min_dims=0, min_side=0))
    array = data.draw(arrays(np.uint8, shape)).astype(dtype)[::-1] if shape else np.array(1, dtype)

    found = unpack(decode(encode(pack(array)), PackedArray))

    assert isinstance(found, np.ndarray)
    assert (found.dtype, fingerprint(found)) == (array.dtype, fingerprint(array))


def test_an_observation_comes_back_whole() -> None:
    failure = Failure("mismatched", "shape (3,)", shape=(3,), is_of_value=True)
    first = {"value": VALUE, "gradient_logits": failure}
    second = {"value": VALUE, "gradient_logits": Failure("raised", "once", "ValueError")}
    probe = ProbeAnswers(first, second, {"shift": ({"value": VALUE + 1},)})
    others = (
        OtherAnswer("with_gradient", "value", None),
        OtherAnswer("second_backward", "gradient_logits", VALUE),
    )
    sent = Observation(
        QUESTION.case.id, "mine.softmax", "eager", first, 0.5, "warned", probe,
        mutates=("logits", "cotangent"), others=others,
    )  # fmt: skip

    found = unpack_observation(decode(encode(pack_observation(sent)), PackedObservation), QUESTION)

    assert found.probe is not None
    assert found.probe.second["value"] is found.probe.first["value"]
    assert found.probe.second["gradient_logits"] == second["gradient_logits"]
    assert found.answers["gradient_logits"] == failure
    np.testing.assert_array_equal(found.probe.forms["shift"][0]["value"], VALUE + 1)
    assert (found.case, found.seconds, found.warnings) == (sent.case, 0.5, "warned")
    assert (found.mutates, found.others[0]) == (sent.mutates, others[0])
    np.testing.assert_array_equal(found.others[1].answer, VALUE)


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [
        ("<f4", (2,), bytes(4)),
        ("<f4", (-1, -1), bytes(4)),
        ("<f4", (2**62, 2**62), b""),
        ("O", (1,), bytes(8)),
        ("f4,f4", (1,), bytes(8)),
        ("U1", (1,), bytes(4)),
        ("no dtype", (), b""),
        ("", (), b""),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(
    dtype: str, shape: tuple[int, ...], data: bytes
) -> None:
    with pytest.raises(LostError, match="the process sent"):
        unpack(PackedArray(dtype, shape, data))


@given(st.binary())
def test_random_bytes_are_refused(data: bytes) -> None:
    for kind in (Reply, BatchReply, Catalogue, PackedObservation):
        try:
            decode(data, kind)
        except LostError:
            continue


@given(st.recursive(st.none() | st.booleans() | st.text() | st.binary(), st.lists, max_leaves=9))
def test_values_of_other_types_are_refused(value: Any) -> None:
    data = msgspec.msgpack.encode({"observations": value, "seconds": value, "changes": value})

    with pytest.raises(LostError, match="cannot be read"):
        decode(data, BatchReply)


@pytest.mark.parametrize(
    "part",
    [{"mutates": ["softly"]}, {"others": [["faster", "value", None]]}, {"others": [["again"]]}],
)
def test_names_that_no_call_has_are_refused(part: dict[str, Any]) -> None:
    data = msgspec.msgpack.encode({"answers": {}, "seconds": 0.0, "warnings": "", **part})

    with pytest.raises(LostError, match="cannot be read"):
        decode(data, PackedObservation)


def test_an_observation_without_a_value_is_refused() -> None:
    with pytest.raises(LostError, match="no value"):
        unpack_observation(PackedObservation({}, 0.0, ""), QUESTION)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UserFileError", UserFileError),
        ("DeviceAbsentError", DeviceAbsentError),
        ("ZeroDivisionError", LostError),
        ("SystemExit", LostError),
    ],
)
def test_an_error_of_ours_comes_back_as_itself(name: str, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=r"^why$"):
        result_of(encode(Reply(raised=Raised(name, "why"))), Catalogue)


def test_changes_are_said_in_one_line() -> None:
    assert str(Changes(["numpy.exp"], ["timer"])) == "spoils: numpy.exp; leaves changed: timer"
    assert not Changes([], [])
