"""Case files: what a user may bring, and one clear line for everything else."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from lossdiff.cases.casefile import read_case
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import OPERATIONS
from lossdiff.harness.judging import solved_case
from lossdiff.harness.runfile.given import pack, unpack

from lossdiff.errors import CaseFileError

LOGITS = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -4.0]])
VALUES = {
    "logits": LOGITS, "probs": np.full((2, 3), 1 / 3), "log_probs": np.full((2, 3), -1.0),
    "hidden": np.array([[1.0, 2.0, 3.0, 0.5], [0.0, -1.0, 1.0, 0.25]]),
}  # fmt: skip
LINEAR = {"linear_weight": np.arange(12.0).reshape(3, 4), "linear_bias": np.ones(3)}
TARGETS: dict[str | None, Any] = {
    "index": np.array([2, 0]),
    "one_hot": np.eye(3)[:2],
    "soft": np.full((2, 3), 1 / 3),
    "multi_label": np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
}
QUESTIONS = [
    (operation.name, kind)
    for operation in OPERATIONS.values()
    for kind in (operation.targets or (None,))
]
BINARY = {"operation": "binary_cross_entropy_with_logits", "target_kind": "multi_label"}
CROSS_ENTROPY = {"operation": "cross_entropy", "target_kind": "index"}
GOOD = {"logits": LOGITS, "target": TARGETS["index"], "spec": json.dumps(CROSS_ENTROPY)}


class Loaded:
    """An object that leaves a mark where it is unpickled."""

    mark: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "case.npz"


def written(path: Path, **arrays: Any) -> Path:
    """Write a case file."""
    np.savez(path, **arrays)
    return path


def asked(path: Path, spec: dict[str, Any], **arrays: Any) -> Case:
    """Write and read a case file."""
    return read_case(written(path, spec=json.dumps(spec), **arrays))


def refusal(path: Path, **arrays: Any) -> str:
    """Return how a case file is refused."""
    return said(written(path, **arrays))


def said(path: Path) -> str:
    """Return how a file is refused, in one line that names it."""
    with pytest.raises(CaseFileError) as error:
        read_case(path)
    line = str(error.value)
    assert "\n" not in line
    assert str(path) in line
    return line


@pytest.mark.parametrize(("operation", "kind"), QUESTIONS)
def test_a_file_of_each_operation_becomes_a_case_that_can_be_judged(
    path: Path, operation: str, kind: str | None
) -> None:
    domain = OPERATIONS[operation].domain
    arrays = {domain: VALUES[domain]} | ({"target": TARGETS[kind]} if kind else {})
    arrays |= LINEAR if OPERATIONS[operation].is_linear else {}
    spec = {"operation": operation} | ({"target_kind": kind} if kind else {})

    case = asked(path, spec, **arrays)

    assert (case.operation, case.target_kind, case.shape) == (operation, kind, (2, 3))
    assert Case.parse(case.id) == case
    assert case.dtype == "float64"
    np.testing.assert_array_equal(VALUES[domain], case.inputs().values)
    assert "value" in solved_case(case).solution.quantities


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("name", ["weight", "pos_weight"])
def test_weights_of_binary_losses_have_any_shape_that_broadcasts(
    path: Path, name: str, shape: tuple[int, ...]
) -> None:
    arrays = {"logits": LOGITS, "target": TARGETS["multi_label"], name: np.full(shape, 2.0)}

    case = asked(path, BINARY, **arrays)

    value = solved_case(case).solution.quantities["value"].to_float()
    whole = asked(path, BINARY, **{**arrays, name: np.full((2, 3), 2.0)})
    assert value == solved_case(whole).solution.quantities["value"].to_float()


@pytest.mark.parametrize("shape", [(), (3,)])
def test_binary_losses_of_numbers_and_rows_are_asked(path: Path, shape: tuple[int, ...]) -> None:
    arrays = {"logits": np.full(shape, 0.5), "target": np.ones(shape), "weight": np.array(2.0)}

    case = asked(path, BINARY, **arrays)

    assert case.shape == shape
    assert Case.parse(case.id) == case
    assert "value" in solved_case(case).solution.quantities


@pytest.mark.parametrize("operation", [o.name for o in OPERATIONS.values() if o.is_loss])
def test_every_option_of_an_operation_can_be_given(path: Path, operation: str) -> None:
    contract = OPERATIONS[operation]
    kind = contract.targets[0]
    values = {
        "reduction": "sum", "ignore_index": -1, "label_smoothing": 0.1, "axis": 0,
        "logit_scale": 0.5, "logit_softcap": 30, "z_loss": 0.1, "denominator": 7,
    }  # fmt: skip
    options = {name: values[name] for name in contract.options if name in values}
    linear = {it: LINEAR[it] for it in LINEAR if contract.is_linear}
    if "denominator" in options:  # it divides a mean, which is the default
        del options["reduction"]
    weights = {
        name: np.array([1.0, 0.5, 2.0]) for name in contract.options if name.endswith("weight")
    }
    arrays = {contract.domain: VALUES[contract.domain], "target": TARGETS[kind], **weights}
    arrays |= linear

    case = asked(path, {"operation": operation, "target_kind": kind, "options": options}, **arrays)

    given = dict.fromkeys([*weights, *(it for it in linear if it in contract.options)], "given")
    assert case.options.given() == {**options, **given}
    assert case.needs == {*options, *given}
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, getattr(case.inputs(), name))
    assert "value" in solved_case(case).solution.quantities


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"linear_weight": np.ones((3, 5))},
            "`linear_weight` has shape (3, 5); it must have (3, 4)",
        ),
        ({"linear_bias": np.ones(2)}, "`linear_bias` has shape (2,); it must have (3,)"),
        ({"target": np.array([0, 1, 2])}, "`target` has shape (3,); it must have (2,)"),
        ({"hidden": np.ones((2, 4, 1))}, "`hidden` has shape (2, 4, 1); it must have (N, H)"),
    ],
)
def test_arrays_of_a_linear_loss_have_to_fit_each_other(
    path: Path, wrong: dict[str, Any], reason: str
) -> None:
    spec = json.dumps({"operation": "linear_cross_entropy", "target_kind": "index"})
    arrays = {"hidden": VALUES["hidden"], "target": TARGETS["index"], **LINEAR, **wrong}

    assert reason in refusal(path, spec=spec, **arrays)


def test_a_linear_loss_of_a_file_needs_its_weights(path: Path) -> None:
    spec = json.dumps({"operation": "linear_cross_entropy", "target_kind": "index"})
    refused = refusal(path, spec=spec, hidden=VALUES["hidden"], target=TARGETS["index"])

    assert "has no array `linear_weight`" in refused


def test_the_id_of_a_case_from_a_file_is_read_back(path: Path) -> None:
    options = {"label_smoothing": 1, "ignore_index": 255, "reduction": "none"}
    arrays = {"logits": LOGITS, "target": TARGETS["index"], "weight": np.ones(3)}

    case = asked(path, {**CROSS_ENTROPY, "options": options}, **arrays)

    assert Case.parse(case.id) == case
    assert case.family.startswith("file:")


@pytest.mark.parametrize(
    ("target", "ignore_index", "family"),
    [
        ([2, 0], -100, "given"),
        ([2, -100], -100, "some_ignored"),
        ([-100, -100], -100, "all_ignored"),
        ([2, -100], 2, "some_ignored"),
        ([1, -100], 2, "given"),
    ],
)
def test_rows_that_are_ignored_need_someone_who_can_ignore(
    path: Path, target: list[int], ignore_index: int, family: str
) -> None:
    spec = {**CROSS_ENTROPY, "options": {"ignore_index": ignore_index}}

    case = asked(path, spec, logits=LOGITS, target=np.array(target))

    assert case.target_family == family
    assert ("ignore_index" in case.needs) == (family != "given" or ignore_index != -100)
    assert Case.parse(case.id) == case


def test_other_numbers_make_another_id(path: Path) -> None:
    one = asked(path, CROSS_ENTROPY, logits=LOGITS, target=TARGETS["index"])
    other = asked(path, CROSS_ENTROPY, logits=np.nextafter(LOGITS, 9), target=TARGETS["index"])
    again = asked(path, CROSS_ENTROPY, logits=LOGITS.copy(), target=TARGETS["index"])
    turned = asked(path, CROSS_ENTROPY, logits=LOGITS.copy("F"), target=TARGETS["index"])

    assert one.id != other.id
    assert one.id == again.id
    assert (turned.layout, turned.family) == ("transposed", one.family)


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_dtype_can_be_asked_for(path: Path, dtype: str) -> None:
    arrays = {"logits": LOGITS / 3, "target": TARGETS["index"], "weight": np.array([0.1, 1, 2])}

    case = asked(path, {**CROSS_ENTROPY, "dtype": dtype}, **arrays)

    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    inputs = case.inputs()
    assert inputs.weight is not None
    assert inputs.target is not None
    assert (kind, kind, np.int64) == (
        inputs.values.dtype, inputs.weight.dtype, inputs.target.dtype
    )  # fmt: skip
    np.testing.assert_array_equal((LOGITS / 3).astype(kind), inputs.values)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_without_one_the_dtype_is_that_of_the_logits(path: Path, dtype: str) -> None:
    case = asked(path, CROSS_ENTROPY, logits=LOGITS.astype(dtype), target=TARGETS["index"])

    assert case.dtype == dtype


def test_a_target_keeps_its_dtype_and_a_weight_of_other_numbers_is_refused(path: Path) -> None:
    logits, weight = LOGITS.astype(np.float32), np.array([0.5, 2.0, 0.1])
    spec = {"operation": "cross_entropy", "target_kind": "soft"}
    given = {"logits": logits, "target": np.full(LOGITS.shape, 1 / 3)}

    case = asked(path, spec, **given, weight=weight.astype(np.float16))
    found = case.inputs()
    assert (case.target_dtype, found.target.dtype) == ("float64", np.float64)
    assert found.weight.dtype == np.float32
    unpacked = unpack(pack(found), replace(case, given=None))
    assert unpacked.target.dtype == np.float64
    line = refusal(path, **given, weight=weight, spec=json.dumps(spec))
    assert "`weight` holds 0.1, which is no float32" in line
    rounded = asked(path, {**spec, "dtype": "float32"}, **given, weight=weight).inputs()
    assert rounded.target.dtype == rounded.weight.dtype == np.float32


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_whole_numbers_are_asked_as_they_are(path: Path, dtype: str) -> None:
    case = asked(path, {"operation": "softmax"}, logits=np.arange(4, dtype=dtype))

    assert case.inputs().values.dtype == dtype
    assert (case.dtype, case.inputs().is_whole) == ("float64", True)


def test_whole_numbers_are_rounded_if_that_is_asked_for(path: Path) -> None:
    spec = {"operation": "softmax", "dtype": "float32"}

    assert asked(path, spec, logits=np.arange(4)).inputs().values.dtype == np.float32


def test_whole_numbers_that_float64_does_not_have_are_refused(path: Path) -> None:
    asked(path, {"operation": "softmax"}, logits=np.array([2**53]))

    spec = json.dumps({"operation": "softmax"})
    assert "whole numbers beyond 2^53" in refusal(path, spec=spec, logits=np.array([2**53 + 2]))


def test_logits_may_have_more_axes(path: Path) -> None:
    case = asked(
        path, CROSS_ENTROPY, logits=np.zeros((2, 3, 4, 5)), target=np.zeros((2, 4, 5), int)
    )

    assert case.shape == (2, 3, 4, 5)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e400])
def test_what_is_not_finite_is_asked_as_it_is(path: Path, special: float) -> None:
    case = asked(path, {"operation": "softmax"}, logits=np.array([0.0, special]))

    assert np.array_equal(case.inputs().values, [0.0, special], equal_nan=True)


def test_a_file_that_is_missing_is_said_to_be_missing(path: Path) -> None:
    assert said(path) == f"there is no case file {path}"


BROKEN = {
    "text": lambda path: path.write_text("logits"),
    "nothing": lambda path: path.write_bytes(b""),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(LOGITS)),
    "an array without a name": lambda path: path.write_bytes(_saved(LOGITS)),
    "a folder": lambda path: path.mkdir(),
    "half a file": lambda path: path.write_bytes(written(path, **GOOD).read_bytes()[:300]),
    "flipped bytes": lambda path: path.write_bytes(_flipped(written(path, **GOOD).read_bytes())),
    "a zip of other files": lambda path: _zip(path, "a.txt", "b"),
}


def _saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _zip(path: Path, name: str, content: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)


def _flipped(content: bytes) -> bytes:
    place = content.index(b"\x93NUMPY") + 140  # within the numbers of the first array
    changed = bytes(255 - byte for byte in content[place : place + 8])
    return content[:place] + changed + content[place + 8 :]


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_case_file_is_refused(path: Path, kind: str) -> None:
    BROKEN[kind](path)

    assert said(path) == f"{path} is not an .npz file of plain arrays"


@pytest.mark.parametrize("name", ["logits", "target", "spec", "weight"])
def test_pickled_objects_are_refused_and_never_executed(path: Path, name: str) -> None:
    hostile = Loaded()
    hostile.mark = path.with_name("executed")

    line = refusal(path, **{**GOOD, name: np.array([hostile], dtype=object)})

    assert "is not an .npz file of plain arrays" in line
    assert not hostile.mark.exists()
    with np.load(path, allow_pickle=True) as data:
        _ = data[name]
    assert hostile.mark.exists()  # the file was a dangerous one


SPECS = {
    "not JSON": ("{operation: softmax}", "`spec` is not JSON"),
    "nested without end": ("[" * 100_000, "`spec` is not JSON"),
    "a list": ("[]", "`spec` is not a JSON object"),
    "an unknown key": ('{"opts": {}}', "`spec` has an unknown key 'opts'"),
    "no operation": ("{}", "operation is None; allowed: softmax, log_softmax"),
    "an unknown operation": ('{"operation": "softmix"}', "operation is 'softmix'; allowed: softm"),
    "a list of operations": ('{"operation": ["softmax"]}', "operation is ['softmax']; allowed: "),
}


@pytest.mark.parametrize("kind", SPECS)
def test_a_bad_spec_is_refused(path: Path, kind: str) -> None:
    spec, expected = SPECS[kind]

    assert expected in refusal(path, **{**GOOD, "spec": spec})


def test_a_missing_spec_is_shown_by_an_example(path: Path) -> None:
    line = refusal(path, logits=LOGITS)

    assert 'has no array `spec`, a JSON text such as {"operation"' in line


KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "no target kind": ({"target_kind": None}, "target_kind is None; allowed: index, one_hot, soft"),
    "another target kind": ({"target_kind": "multi_label"}, "allowed: index, one_hot, soft"),
    "an unknown dtype": ({"dtype": "float8"}, "dtype is 'float8'; allowed: float16, bfloat16"),
    "options in a list": ({"options": []}, "`options` is not a JSON object"),
    "an unknown option": ({"options": {"redution": "sum"}}, "option is 'redution'; allowed: "),
    "another's option": ({"options": {"axis": 0}}, "option is 'axis'; allowed: ignore_index, lab"),
    "weight in the options": ({"options": {"weight": [1]}}, "option is 'weight'; allowed: ignore"),
    "a bad reduction": ({"options": {"reduction": "avg"}}, "'avg'; allowed: none, mean, sum"),
    "reductions": ({"options": {"reduction": ["sum"]}}, "['sum']; allowed: none, mean, sum"),
    "much smoothing": ({"options": {"label_smoothing": 1.5}}, "1.5; allowed: numbers from 0 to 1"),
    "NaN smoothing": ({"options": {"label_smoothing": float("nan")}}, "nan; allowed: numbers fr"),
    "no scale": ({"options": {"logit_scale": 0}}, "0; allowed: numbers above 0"),
    "an infinite cap": ({"options": {"logit_softcap": float("inf")}}, "inf; allowed: numbers abo"),
    "a z-loss below 0": ({"options": {"z_loss": -1}}, "-1; allowed: numbers from 0 on"),
    "a sum over a denominator": (
        {"options": {"denominator": 7, "reduction": "sum"}},
        "divides a mean; reduction is 'sum'",
    ),
    "a smoothing text": ({"options": {"label_smoothing": "a"}}, "'a'; allowed: numbers from 0 to"),
    "half an index": ({"options": {"ignore_index": 0.5}}, "0.5; allowed: whole numbers"),
    "a huge index": ({"options": {"ignore_index": 2**64}}, f"{2**64}; allowed: whole numbers"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_bad_entry_of_the_spec_is_refused(path: Path, kind: str) -> None:
    changed, expected = KEYS[kind]

    assert expected in refusal(path, **{**GOOD, "spec": json.dumps({**CROSS_ENTROPY, **changed})})


@pytest.mark.parametrize("axis", [2, -3, True, 0.0, None])
def test_an_axis_that_the_logits_do_not_have_is_refused(path: Path, axis: Any) -> None:
    spec = json.dumps({"operation": "softmax", "options": {"axis": axis}})

    line = refusal(path, logits=LOGITS, spec=spec)

    assert f"axis is {axis}; allowed: whole numbers from -2 to 1" in line


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "logits of text": ({"logits": np.array([["a"]])}, "`logits` has dtype <U1, shape (1, 1); "),
    "complex logits": ({"logits": LOGITS * 1j}, "dtype complex128, shape (2, 3); allowed: float16"),
    "logits without axes": ({"logits": LOGITS[0, 0]}, "shape (); allowed: float16, bfloat16, "),
    "a target of two axes": ({"target": LOGITS}, "`target` has shape (2, 3); it must have (2,)"),
    "a short target": ({"target": np.zeros(1, int)}, "has shape (1,); it must have (2,)"),
    "a target of floats": ({"target": np.array([0.0, 1.0])}, "float64; an index target has int64"),
    "a target of text": ({"target": np.array(["0", "1"])}, "<U1; an index target has int64"),
    "a target beyond": ({"target": np.array([0, 2**64 - 1], "u8")}, "an index target has int64"),
    "a long weight": ({"weight": np.ones(4)}, "`weight` has shape (4,); it must have (3,)"),
    "a weight of text": ({"weight": np.array(["a"] * 3)}, "`weight` has dtype <U1; allowed: float"),
    "a positive weight": ({"pos_weight": np.ones(3)}, "cross_entropy does not take: pos_weight"),
    "another array": ({"labels": np.ones(3)}, "an array that cross_entropy does not take: labels"),
    "probabilities too": ({"probs": LOGITS}, "an array that cross_entropy does not take: probs"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_bad_array_is_refused(path: Path, kind: str) -> None:
    changed, expected = ARRAYS[kind]

    assert expected in refusal(path, **{**GOOD, **changed})


def test_missing_arrays_are_named(path: Path) -> None:
    spec = {"spec": GOOD["spec"]}

    assert "has no array `target`" in refusal(path, logits=LOGITS, **spec)
    assert "takes an array `logits`; the file has none" in refusal(path, **spec)
    assert "takes an array `logits`; the file has probs, target" in refusal(
        path, probs=LOGITS, target=TARGETS["index"], **spec
    )


def test_a_target_is_refused_where_there_is_none(path: Path) -> None:
    line = refusal(path, logits=LOGITS, target=LOGITS, spec='{"operation": "softmax"}')
    assert "an array that softmax does not take: target" in line

    spec = '{"operation": "softmax", "target_kind": "index"}'
    assert "target_kind is 'index'; softmax takes no target" in refusal(
        path, logits=LOGITS, spec=spec
    )


def test_an_empty_batch_can_be_asked(path: Path) -> None:
    softmax = asked(path, {"operation": "softmax"}, logits=np.zeros((0, 3)))
    loss = asked(path, CROSS_ENTROPY, logits=np.zeros((0, 3)), target=np.zeros(0, int))

    assert solved_case(softmax).solution.quantities["value"].shape == (0, 3)
    assert np.isnan(solved_case(loss).solution.quantities["value"].hi)


@pytest.mark.parametrize(("shape", "axis"), [((2, 0), -1), ((0,), -1), ((0, 3), 0)])
def test_logits_without_any_class_are_refused(
    path: Path, shape: tuple[int, ...], axis: int
) -> None:
    spec = json.dumps({"operation": "logsumexp", "options": {"axis": axis}})

    line = refusal(path, logits=np.zeros(shape), spec=spec)

    assert f"`logits` has shape {shape}: no class on axis {axis % len(shape)}" in line


@pytest.mark.parametrize("shape", [(2, 0), (0,), (5, 0, 0)])
def test_a_softmax_of_no_class_has_no_number(path: Path, shape: tuple[int, ...]) -> None:
    case = asked(path, {"operation": "softmax"}, logits=np.zeros(shape))

    assert solved_case(case).solution.quantities["value"].shape == shape


@pytest.mark.parametrize("kind", ["index", "soft"])
def test_a_loss_of_a_row_without_a_batch_is_asked(path: Path, kind: str) -> None:
    target = TARGETS[kind][0]
    spec = {"operation": "cross_entropy", "target_kind": kind, "options": {"label_smoothing": 0.1}}
    case = asked(path, spec, logits=LOGITS[0], target=np.asarray(target), weight=np.arange(3.0))

    assert (case.shape, case.has_no_batch, Case.parse(case.id)) == ((3,), True, case)
    batch = asked(
        path, spec, logits=LOGITS[:1], target=np.asarray(target)[None], weight=np.arange(3.0)
    )
    one, other = (solved_case(it).solution.quantities for it in (case, batch))
    assert one["value"].to_float() == other["value"].to_float()
    assert (one["gradient_logits"].to_float() == other["gradient_logits"].to_float()[0]).all()
    assert unpack(pack(case.inputs()), case).values.shape == (3,)


def test_a_compressed_file_is_read_as_well(path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, **GOOD)
    path.write_bytes(stream.getvalue())

    np.testing.assert_array_equal(LOGITS, read_case(path).inputs().values)
