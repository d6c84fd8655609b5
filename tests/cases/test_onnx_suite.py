"""Cases from ONNX: every node case of the five operators becomes one, or is left out by name."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lossdiff.cases import onnx_suite
from lossdiff.cases.model import Case
from lossdiff.cases.onnx_suite import (
    BEYOND,
    LOG_PROB,
    OPERATORS,
    NodeCase,
    _read,
    collected,
    onnx_cases,
)
from lossdiff.cases.operations import Options
from lossdiff.cases.suites import suite
from lossdiff.harness.runfile.file import RunFile

from lossdiff.errors import OnnxError

ONNX = pytest.mark.onnx
DATA = np.arange(12.0).reshape(2, 3, 2)


def named(name: str) -> NodeCase:
    """Return one case by ONNX's name."""
    (found,) = (node for node in collected().cases if node.case.family == f"onnx:{name}")
    return found


def node_test(
    operator: str, *inputs: Any, outputs: Any = (0.0,), opset: int = 18, **given: Any
) -> Any:
    """Return what ONNX generates, in the parts that are read."""
    from onnx import helper

    node = helper.make_node(operator, [f"i{n}" for n in range(len(inputs))], ["o"], **given)
    model = SimpleNamespace(
        graph=SimpleNamespace(node=[node]), opset_import=[SimpleNamespace(version=opset)]
    )
    return SimpleNamespace(model=model, data_sets=[(inputs, outputs)])


def read(*arguments: Any, **given: Any) -> Case:
    """Return the case that a node case becomes."""
    (node,) = _read(node_test(*arguments, **given), "it")
    return node.case


# --- all of them -----------------------------------------------------------------------------


@ONNX
def test_every_node_case_becomes_a_case_or_is_left_out_with_its_reason() -> None:
    generated = {
        test.name.removeprefix("test_")
        for test in onnx_suite._generated()
        if len(test.model.graph.node) == 1 and test.model.graph.node[0].op_type in OPERATORS
    }
    asked = {node.case.family.removeprefix("onnx:").partition(".")[0] for node in collected().cases}

    assert len(asked) >= 66
    assert asked | set(collected().left_out) == generated
    assert list(collected().left_out) == ["reduce_log_sum_exp_empty_set"]


@ONNX
def test_expanded_node_cases_repeat_the_inputs_and_outputs_of_others() -> None:
    tests = {test.name: test.data_sets[0] for test in onnx_suite._generated()}
    expanded = [name for name in tests if "_expanded" in name]

    assert expanded
    for name in expanded:
        for ours, theirs in zip(tests[name], tests[name.partition("_expanded")[0]], strict=True):
            assert all(one is other for one, other in zip(ours, theirs, strict=True)), name


@ONNX
def test_all_five_operators_are_asked() -> None:
    counts = Counter(node.operator.partition(".")[0] for node in collected().cases)

    assert set(counts) == set(OPERATORS)
    assert min(counts.values()) >= 7


@ONNX
def test_ids_are_readable_and_come_back_as_the_same_cases() -> None:
    cases = onnx_cases()

    assert len({case.id for case in cases}) == len(cases)
    assert all(Case.parse(case.id) == case for case in cases)
    assert named("sce_mean_weight_ii").case.id == (
        "cross_entropy/index.some_ignored/float32/3x5/onnx:sce_mean_weight_ii"
        "/weight=given,ignore_index=0/0"
    )


@ONNX
def test_arrays_survive_in_the_run_file(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add_given(onnx_cases())
        for node in collected().cases:
            kept = run.case(node.case.id).inputs()
            for name, array in vars(node.case.inputs()).items():
                assert np.array_equal(getattr(kept, name), array) or array is None
                assert array is None or getattr(kept, name).dtype == array.dtype


@ONNX
def test_without_its_arrays_a_case_cannot_be_asked() -> None:
    bare = Case.parse(named("sce_mean").case.id)

    with pytest.raises(ValueError, match="its arrays are in the run file"):
        bare.inputs()


@ONNX
def test_the_suite_is_what_onnx_has_and_a_few_more() -> None:
    ids = {case.id for case in suite("onnx").cases}

    assert ids == {node.case.id for node in collected().cases} | set(BEYOND)
    assert suite("onnx").compiled


@ONNX
def test_collecting_leaves_the_random_numbers_of_others_alone() -> None:
    code = """
import numpy as np
from lossdiff.cases.onnx_suite import collected
np.random.seed(7)
first = np.random.rand()
np.random.seed(7)
collected()
assert np.random.rand() == first
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# --- one by one ------------------------------------------------------------------------------


@ONNX
@pytest.mark.parametrize(
    ("name", "options", "needs"),
    [
        ("sce_none", Options(reduction="none"), {"reduction"}),
        ("sce_mean", Options(), set()),
        ("sce_sum", Options(reduction="sum"), {"reduction"}),
        ("nllloss_NCd1_weight", Options(weight="given"), {"weight"}),
        ("nllloss_NCd1_ii", Options(ignore_index=1), {"ignore_index"}),
        ("softmax_axis_0", Options(axis=0), {"axis"}),
        ("softmax_default_axis", Options(), set()),
        ("logsoftmax_negative_axis", Options(), set()),
        ("reduce_log_sum_exp_keepdims_random", Options(axis=1), {"axis"}),
        ("reduce_log_sum_exp_negative_axes_keepdims_random", Options(axis=-2), {"axis"}),
    ],
)
def test_attributes_and_weights_are_options(name: str, options: Options, needs: set[str]) -> None:
    assert named(name).case.options == options
    assert named(name).case.needs == needs


@ONNX
def test_log_probabilities_are_a_case_of_their_own() -> None:
    loss, log_prob = named("sce_mean_3d_log_prob"), named(f"sce_mean_3d_log_prob.{LOG_PROB}")

    assert (loss.operator, loss.expected.shape) == ("SoftmaxCrossEntropyLoss", ())
    assert log_prob.operator == "SoftmaxCrossEntropyLoss.log_prob"
    assert (log_prob.case.operation, log_prob.case.options) == ("log_softmax", Options(axis=1))
    assert log_prob.case.inputs().values is loss.case.inputs().values
    assert log_prob.expected.shape == log_prob.case.shape == (3, 5, 2)


@ONNX
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_the_dtype_of_labels_is_kept(dtype: str) -> None:
    labels = np.zeros((2, 2), dtype)

    case = read("NegativeLogLikelihoodLoss", -DATA, labels)

    assert case.inputs().target.dtype == dtype  # type: ignore[union-attr]
    assert case.target == ("index.given:int32" if dtype == "int32" else "index.given")
    assert case.options == Options()


@ONNX
def test_rows_with_the_ignored_label_are_marked() -> None:
    labels = np.array([[0, 2], [2, 2]])

    assert read("NegativeLogLikelihoodLoss", -DATA, labels).target_family == "given"
    for label, family in ((0, "some_ignored"), (1, "given")):
        case = read("NegativeLogLikelihoodLoss", -DATA, labels, ignore_index=label)
        assert case.target_family == family


@ONNX
@pytest.mark.parametrize(
    ("axes", "keepdims", "shape", "axis"),
    [
        ([1], 0, (2, 3, 2), 1),
        ([1], 1, (2, 3, 2), 1),
        ([0, 2], 0, (3, 4), -1),
        ([-1, 0], 1, (3, 4), -1),
        ([], 1, (12,), -1),
    ],
)
def test_reduced_axes_become_one(
    axes: list[int], keepdims: int, shape: tuple[int, ...], axis: int
) -> None:
    over = tuple(axes) or None
    expected = np.log(np.exp(DATA).sum(axis=over, keepdims=bool(keepdims)))
    test = node_test(
        "ReduceLogSumExp", DATA, np.array(axes, np.int64), outputs=(expected,), keepdims=keepdims
    )

    (node,) = _read(test, "it")

    assert (node.case.shape, node.case.options.axis) == (shape, axis)
    assert np.allclose(np.log(np.exp(node.case.inputs().values).sum(axis)), node.expected)


@ONNX
def test_axes_that_are_not_given_are_all_of_them() -> None:
    assert read("ReduceLogSumExp", DATA, outputs=(np.zeros((1, 1, 1)),)).shape == (12,)
    assert read("ReduceLogSumExp", DATA, outputs=(np.zeros(2),), axes=[1, 2]).shape == (2, 6)


@ONNX
@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (("Softmax", DATA, {"opset": 11}), "opset 11: another meaning of `axis`"),
        (("Softmax", np.arange(3)), "dtype int64"),
        (("Softmax", np.zeros((2, 0))), "an axis without classes"),
        (("ReduceLogSumExp", DATA, {"noop_with_empty_axes": 1}), "reduces nothing"),
    ],
)
def test_what_the_contract_has_no_question_for_is_left_out(
    test: tuple[Any, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    *arguments, last = test
    given = last if isinstance(last, dict) else {}
    made = node_test(*(arguments if given else test), **given)
    made.name = "test_it"
    monkeypatch.setattr(onnx_suite, "_generated", lambda: [made])

    found = collected.__wrapped__()

    assert found.cases == ()
    assert found.left_out["it"].startswith(reason)


# --- without onnx ----------------------------------------------------------------------------


def test_without_onnx_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_suite.util, "find_spec", lambda _: None)

    with pytest.raises(OnnxError, match=r"^onnx is not installed; pip install 'lossdiff\[onnx\]'$"):
        collected.__wrapped__()


def test_an_onnx_without_these_files_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_suite.util, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "onnx.backend.test.case", None)

    with pytest.raises(OnnxError, match=r"it must be 1\.23 or newer"):
        collected.__wrapped__()
