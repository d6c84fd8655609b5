"""Cases: readable ids that hold everything, and inputs whose bits never change."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from lossdiff.cases import model
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import Options
from lossdiff.cases.suites import suite

PLAIN = "cross_entropy/index.random/float32/4x10/normal/-/0"

# The first half of the SHA-256 of dtype, shape and bytes of all inputs. A change here changes
# what stored runs mean.
DIGESTS = {
    case: digest
    for digest, case in (
        ("15e3823e5444d229d1d8b272273ed486", "softmax/float32/4x10/normal/-/0"),
        ("6bdb3a6c4c3fae3dbd501f14c0e3493d", "softmax/bfloat16/3x70/normal_10/axis=0/0"),
        ("d48ce9b41b6519626236b7eaedfb8647", "log_softmax/float64/2x3x5/offset_1e7/axis=1/3"),
        ("70e92d0fcf233a8009ed7b5eb8e66bdc", "logsumexp/float16/5x33/exp_overflow/-/0"),
        ("7b811846989d7dfbf98656dbef35faf7",
         "nll_loss/index.some_ignored/float32/4x10/log_probs/weight=positive,ignore_index=-1/0"),
        ("0e0f6dbd66b8f2b26c7ebfd856452d41",
         "cross_entropy/index.top/float16/64x3/far_tail/-/0"),
        ("1b737c1b1d9b86eb6bf1a85b50d20f57",
         "cross_entropy/index.too_large/bfloat16/2x3x2x2/finfo_max/label_smoothing=0.1,reduction=none/0"),
        ("6f8a02825579ea23d0add079d91cd17f",
         "cross_entropy/one_hot.bottom/float64/4x10/ties/weight=with_zeros/0"),
        ("e4743a42cfc145980155dd42f006ddee",
         "cross_entropy/soft.soft/float32/300x4/scaled/reduction=sum/12"),
        ("c4c984d3414ca53ec638cf5d983aa4c7",
         "cross_entropy/index.given/float32/64x10/digits:end/-/0"),
        ("7ac27fed767c2fad1bd5c8e4318dfa06", "sigmoid/float64/16x2/two_units/-/0"),
        ("e8d3d9f99987b301ddf204cc197282d1",
         "binary_cross_entropy/multi_label.fractional/float32/4x10/probs_edge/-/0"),
        ("dc1370204dcd4b58d08dfbe8a9ecab1d",
         "binary_cross_entropy_with_logits/multi_label.binary/float16/3x70/subnormal/pos_weight=positive/0"),
        ("c39fa7ad24da1e1ffc9afed375adfdb8",
         "cross_entropy_probs/soft.zeros/bfloat16/4x10/probs/-/0"),
        ("51ac52e8d35fadc474b97e91625fc800", "cross_entropy/soft.soft/float64/3x70/normal/-/0"),
    )
}  # fmt: skip


def digest(inputs: Inputs) -> str:
    """Return what identifies the inputs of a case."""
    arrays = (inputs.values, inputs.target, inputs.weight, inputs.pos_weight)
    state = hashlib.sha256()
    for array in arrays:
        if array is not None:
            state.update(f"{array.dtype.name}{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()[:32]


@pytest.mark.parametrize("name", ["quick", "full", "worked"])
def test_ids_of_every_suite_come_back_as_the_same_cases(name: str) -> None:
    for case in suite(name, seed=3).cases:
        assert Case.parse(case.id) == case


def test_ids_of_drawn_cases_come_back_as_the_same_cases() -> None:
    for case in suite("fuzz", seed=5, count=500).cases:
        assert Case.parse(case.id) == case


@pytest.mark.parametrize("name", DIGESTS)
def test_the_bits_of_inputs_never_change(name: str) -> None:
    assert digest(Case.parse(name).inputs()) == DIGESTS[name]


def test_inputs_are_a_function_of_the_id_alone() -> None:
    for case in suite("quick").cases[::20]:
        first = digest(case.inputs())
        model._inputs.cache_clear()
        assert digest(Case.parse(case.id).inputs()) == first


def test_another_seed_draws_other_numbers() -> None:
    case = Case.parse(PLAIN)

    assert digest(case.inputs()) != digest(replace(case, seed=1).inputs())


def test_dtypes_and_operations_are_asked_the_same_numbers() -> None:
    wide = Case.parse("softmax/float64/4x10/normal/-/0").inputs().values

    for dtype in ("float16", "bfloat16", "float32"):
        narrow = Case.parse(f"softmax/{dtype}/4x10/normal/-/0").inputs().values
        assert np.array_equal(narrow, wide.astype(narrow.dtype))
    same = Case.parse("log_softmax/float64/4x10/normal/-/0").inputs().values
    assert np.array_equal(same, wide)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "softmax",
        "softmax/float32/4x10/normal/-",
        "softmax/float32/4x10/normal/-/zero",
        "softmax/float8/4x10/normal/-/0",
        "softmax/float32/4xten/normal/-/0",
        "softmax/float32/4x10/normal/axis=-1/0",  # a default is not written
        "softmax/float32/4x10/normal/colour=red/0",
        "softmin/float32/4x10/normal/-/0",
        "cross_entropy/float32/4x10/normal/-/0",
        "cross_entropy/indices.random/float32/4x10/normal/-/0",
        "cross_entropy/multi_label.binary/float32/4x10/normal/-/0",  # not its kind of target
        "cross_entropy/index.everywhere/float32/4x10/normal/-/0",
        "cross_entropy/index.random/float32/4x10/normal/weight=heavy/0",
        "softmax/float32/4x10/abnormal/-/0",
        "softmax/float32/4x10/upwards@100/-/0",
        "softmax/float32/4x10~upside_down/normal/-/0",
        PLAIN + "/0",
        " " + PLAIN,
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a case"):
        Case.parse(text)


def test_an_id_writes_only_what_differs_from_the_defaults() -> None:
    options = Options(label_smoothing=0.1, reduction="none")
    case = replace(Case.parse(PLAIN), options=options)

    expected = "cross_entropy/index.random/float32/4x10/normal/label_smoothing=0.1,reduction=none/0"
    assert case.id == expected


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("softmax/float32/2x3x5/normal/-/0", 2),
        ("softmax/float32/2x3x5/normal/axis=0/0", 0),
        ("logsumexp/float32/2x3x5/normal/axis=1/0", 1),
        ("cross_entropy/index.random/float32/2x3x5/normal/-/0", 1),
        ("cross_entropy/index.random/float32/2x3x2x2/normal/-/0", 1),
    ],
)
def test_classes_stand_on_axis_1_of_losses_and_where_the_option_says(name: str, axis: int) -> None:
    assert Case.parse(name).class_axis == axis


@pytest.mark.parametrize("shape", ["4x10", "2x3x5", "2x3x2x2"])
def test_targets_have_the_shapes_of_the_contract(shape: str) -> None:
    for kind, family in (("index", "random"), ("one_hot", "top"), ("soft", "soft")):
        case = Case.parse(f"cross_entropy/{kind}.{family}/float32/{shape}/normal/weight=positive/0")
        inputs = case.inputs()
        n, classes, *rest = case.shape

        assert inputs.target is not None
        assert inputs.weight is not None
        assert inputs.values.shape == case.shape
        assert inputs.weight.shape == (classes,)
        if kind == "index":
            assert (inputs.target.shape, inputs.target.dtype) == ((n, *rest), np.int64)
        else:
            assert (inputs.target.shape, inputs.target.dtype) == (case.shape, np.float32)
            assert np.allclose(inputs.target.sum(axis=1), 1.0)


def test_labels_named_top_and_bottom_are_those_of_the_rounded_logits() -> None:
    top = Case.parse("cross_entropy/index.top/bfloat16/5x33/normal/-/0").inputs()
    bottom = Case.parse("cross_entropy/index.bottom/bfloat16/5x33/normal/-/0").inputs()

    assert np.array_equal(top.target, top.values.argmax(axis=1))
    assert np.array_equal(bottom.target, bottom.values.argmin(axis=1))


def test_some_and_all_rows_are_ignored_as_the_name_says() -> None:
    name = "cross_entropy/index.{}/float32/64x3/normal/ignore_index=-1/0"
    some = Case.parse(name.format("some_ignored")).inputs().target
    every = Case.parse(name.format("all_ignored")).inputs().target

    assert some is not None
    assert every is not None
    assert 0 < (some == -1).sum() < some.size
    assert (every == -1).all()


def test_what_a_case_needs_is_what_an_implementation_must_claim() -> None:
    name = "cross_entropy/index.some_ignored/float32/4x10/normal/weight=positive/0"

    assert Case.parse(PLAIN).needs == frozenset()
    assert Case.parse(name).needs == {"weight", "ignore_index"}


def test_cases_of_one_signature_differ_only_in_numbers() -> None:
    case = Case.parse(PLAIN)

    assert case.signature == replace(case, family="ties", seed=9).signature
    assert case.signature != replace(case, shape=(4, 11)).signature
    assert str(case.signature) == "cross_entropy/index/float32/4x10/-"


# --- cotangents ------------------------------------------------------------------------------


def test_cotangents_are_eighths_and_never_zero() -> None:
    v = Case.parse(PLAIN).cotangent((50, 20))

    assert set((v * 8).ravel()) == {*range(-8, 0), *range(1, 9)}


def test_the_cotangent_of_a_scalar_is_not_one() -> None:
    assert Case.parse(PLAIN).cotangent(()) == 0.625


def test_the_cotangent_of_fewer_rows_begins_that_of_more() -> None:
    case = Case.parse(PLAIN)

    assert np.array_equal(case.cotangent((3, 7)), case.cotangent((9, 7))[:3])


def test_directions_are_made_like_cotangents_in_the_shape_of_the_values() -> None:
    case = Case.parse("softmax/float32/50x20/normal/-/0")
    t = case.direction()

    assert t.shape == (50, 20)
    assert set((t * 8).ravel()) == {*range(-8, 0), *range(1, 9)}
    assert not np.array_equal(t, case.cotangent((50, 20)))


def test_the_direction_depends_on_the_shape_alone() -> None:
    one = Case.parse("softmax/float32/4x10/normal/-/0").direction()
    other = Case.parse("cross_entropy/index.random/bfloat16/4x10/grid/-/7").direction()

    assert np.array_equal(one, other)


# --- what is asked more closely, and sweeps --------------------------------------------------


@pytest.mark.parametrize(
    ("name", "is_probed", "is_swept"),
    [
        ("softmax/float32/4x10/grid/-/0", True, False),
        ("binary_cross_entropy/multi_label.binary/float32/4x10/grid_probs/-/0", True, False),
        ("nll_loss/index.random/float32/4x10/grid_log_probs/-/0", True, False),
        ("softmax/float32/4x10/grid_shrunk:0123456789ab/-/0", True, False),
        ("softmax/float32/4x10/shrunk:0123456789ab/-/0", False, False),
        ("softmax/float32/4x10/file:0123456789ab/-/0", False, False),
        ("softmax/float32/4x10/digits:end/-/0", False, False),
        ("softmax/float32/4x10/offset@88.7/-/0", False, True),
        ("softmax/float32/4x10/offset_1e3/-/0", False, False),
        (PLAIN, False, False),
    ],
)
def test_the_family_says_whether_a_case_is_probed_or_swept(
    name: str, is_probed: bool, is_swept: bool
) -> None:
    case = Case.parse(name)

    assert (case.is_probed, case.is_swept) == (is_probed, is_swept)


def test_numbers_of_a_sweep_follow_from_the_id() -> None:
    values = Case.parse("softmax/float32/4x10/offset@88.7/-/0").inputs().values

    assert (values.max(axis=1) == np.float32(88.7)).all()


# --- dtypes of targets and weights -----------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "options", "mixes"),
    [
        ("index.random", "-", False),
        ("index.random:int8", "-", True),
        ("soft.soft:float64", "-", True),
        ("index.random", "weight=positive", False),
        ("index.random", "weight=positive:float64", True),
    ],
)
def test_the_id_names_the_dtype_of_a_target_and_of_weights(
    target: str, options: str, mixes: bool
) -> None:
    case = Case.parse(f"cross_entropy/{target}/float32/4x10/normal/{options}/0")

    assert case.mixes_dtypes == mixes
    assert case.target == target


def test_pos_weight_may_be_of_another_dtype_too() -> None:
    name = "binary_cross_entropy_with_logits/multi_label.binary/float16/4x10/normal/pos_weight={}/0"
    inputs = Case.parse(name.format("positive:float32")).inputs()

    assert inputs.pos_weight is not None
    assert inputs.pos_weight.dtype == np.float32
    assert Case.parse(name.format("positive:float32")).mixes_dtypes


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_labels_of_another_dtype_are_the_same_labels(dtype: str) -> None:
    plain = Case.parse(PLAIN).inputs()
    mixed = Case.parse(PLAIN.replace("random", f"random:{dtype}")).inputs()

    assert mixed.target is not None
    assert mixed.target.dtype == dtype
    assert np.array_equal(mixed.target, plain.target)
    assert np.array_equal(mixed.values, plain.values)


@pytest.mark.parametrize("other", ["float32", "float64"])
def test_probabilities_of_a_wider_dtype_are_those_of_the_narrow_one(other: str) -> None:
    name = "cross_entropy/soft.{}/bfloat16/4x10/normal/-/0"
    plain = Case.parse(name.format("soft")).inputs().target
    mixed = Case.parse(name.format(f"soft:{other}")).inputs().target

    assert plain is not None
    assert mixed is not None
    assert mixed.dtype == other
    assert np.array_equal(mixed, plain.astype(other))


def test_weights_of_a_wider_dtype_are_those_of_the_narrow_one() -> None:
    name = "cross_entropy/index.random/bfloat16/4x10/normal/weight={}/0"
    plain = Case.parse(name.format("positive")).inputs().weight
    mixed = Case.parse(name.format("positive:float64")).inputs().weight

    assert plain is not None
    assert mixed is not None
    assert (plain.dtype, mixed.dtype) == (FORMATS["bfloat16"].dtype, np.float64)
    assert np.array_equal(mixed, plain.astype(np.float64))


def test_another_dtype_of_the_target_is_another_signature() -> None:
    case = Case.parse(PLAIN)

    assert case.signature != replace(case, target_dtype="int32").signature
    assert str(replace(case, target_dtype="int32").signature) == (
        "cross_entropy/indexint32/float32/4x10/-"
    )


# --- large cases, and cases from files -------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (PLAIN, 4),
        ("cross_entropy/index.random/float32/1024x1024/normal/-/0", 1024),
        ("cross_entropy/index.random/float32/4096x1024/normal/-/0", 1024),
        ("softmax/float32/8x1000000/normal/-/0", 1),
        ("sigmoid/float32/4096x1024/normal/-/0", 4096),
    ],
)
def test_of_more_than_a_million_elements_some_rows_are_judged(name: str, rows: int) -> None:
    assert Case.parse(name).judged_rows == rows


def test_a_case_from_a_file_carries_its_arrays_and_cannot_draw_them() -> None:
    given = Inputs(np.ones((2, 3), np.float32))
    case = Case("softmax", "file:abc", (2, 3), "float32", given=given)

    assert case.inputs() is given
    with pytest.raises(ValueError, match="came from a file"):
        Case.parse(case.id).inputs()


def test_the_target_of_a_case_can_be_exchanged() -> None:
    case = Case.parse(PLAIN).with_target("soft", "zeros")

    assert case.id == "cross_entropy/soft.zeros/float32/4x10/normal/-/0"
