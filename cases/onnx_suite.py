"""Collect the node cases of ONNX for five operators as cases; see docs/onnx.md.

A node case is one node with its inputs and the outputs that ONNX expects. Its arrays come from
the package `onnx`, which is imported when the cases are collected and not with this module. The
run file stores the arrays, like those of case files.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import util
from typing import Any

import numpy as np

from ..errors import LeftOutError, OnnxError
from .casefile import target_family_of
from .dtypes import Array, format_of
from .model import Case, Inputs
from .operations import OPERATIONS, Options

OPERATORS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "ReduceLogSumExp": "logsumexp",
    "NegativeLogLikelihoodLoss": "nll_loss",
    "SoftmaxCrossEntropyLoss": "cross_entropy",
}
LOG_PROB = "log_prob"  # the second output of SoftmaxCrossEntropyLoss
_FIRST_OPSET = 13  # before it Softmax and LogSoftmax flattened the axes after `axis`
# Further cases, in which ONNX's reference evaluator is wrong and of which there is no node case: a
# class far below the largest; rows ignored by the label -1, and by another one for comparison;
# nothing but -inf.
BEYOND = (
    "log_softmax/float32/4x10/gap_underflow/-/0",
    "log_softmax/float32/4x10/normal_100/-/0",
    "cross_entropy/index.random/float32/4x10/gap_underflow/-/0",
    "cross_entropy/index.random/float32/4x10/normal_100/-/0",
    "nll_loss/index.some_ignored/float32/4x10/log_probs/ignore_index=-1/0",
    "nll_loss/index.some_ignored/float32/4x10/log_probs/-/0",
    "logsumexp/float32/4x10/all_neg_inf/-/0",
)


@dataclass(frozen=True)
class NodeCase:
    """A case with the output that ONNX expects.

    Attributes:
        case: the case; its family is `onnx:NAME`, without the `test_` of ONNX's name.
        operator: the operator whose output is expected, with `.log_prob` for its second output.
        expected: the output, in the shape that the contract defines.
    """

    case: Case
    operator: str
    expected: Array


@dataclass(frozen=True)
class Collected:
    """The node cases of the five operators.

    Attributes:
        cases: the cases made from them.
        left_out: the reason why a node case was left out, by its name.
    """

    cases: tuple[NodeCase, ...]
    left_out: dict[str, str]


def onnx_cases() -> list[Case]:
    """Return the cases of the suite `onnx`: node cases, and a few further ones.

    Raises:
        OnnxError: onnx is not installed, or has no node cases where they are looked for.
    """
    return [node.case for node in collected().cases] + [Case.parse(text) for text in BEYOND]


@cache
def collected() -> Collected:
    """Return the node cases of the five operators.

    Those named `…_expanded` are omitted: they have the same inputs and outputs, and test the
    operator's function body.

    Raises:
        OnnxError: onnx is not installed, or has no node cases where they are looked for.
    """
    cases: list[NodeCase] = []
    left_out: dict[str, str] = {}
    for test in _generated():
        name = test.name.removeprefix("test_")
        if test.model.graph.node[0].op_type not in OPERATORS or "_expanded" in name:
            continue
        try:
            cases += _read(test, name)
        except LeftOutError as error:
            left_out[name] = str(error)
    return Collected(tuple(cases), left_out)


def _generated() -> list[Any]:
    """Return the test cases that ONNX generates when the modules of its cases are imported.

    `collect_testcases` imports the modules of all operators, which takes six seconds and needs
    Pillow; here only those of the five operators are imported.
    """
    if util.find_spec("onnx") is None:
        raise OnnxError("onnx is not installed; pip install 'lossdiff[onnx]'")
    state = np.random.get_state()  # noqa: NPY002 -- ONNX seeds the global generator
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            from onnx.backend.test.case import node
            from onnx.backend.test.case.node import (  # noqa: F401
                logsoftmax,
                negativeloglikelihoodloss,
                reduce_log_sum_exp,
                softmax,
                softmax_cross_entropy_loss,
            )
    except ImportError as error:
        raise OnnxError(
            f"onnx has no node cases for us ({error}); it must be 1.23 or newer"
        ) from error
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return list(node._NodeTestCases)  # noqa: SLF001 -- as onnx.backend.test.loader takes them


def _read(test: Any, name: str) -> Iterator[NodeCase]:
    """Yield the cases that a node case becomes: one, or two with the log-probabilities."""
    from onnx import helper

    node, opset = test.model.graph.node[0], test.model.opset_import[0].version
    if opset < _FIRST_OPSET:
        raise LeftOutError(f"opset {opset}: another meaning of `axis`")
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    # Each node case has one data set. Its outputs may be NumPy scalars.
    ((inputs, outputs),) = test.data_sets
    values = inputs[0]
    if format_of(values.dtype) is None:
        raise LeftOutError(f"dtype {values.dtype}")
    outputs = [np.asarray(output) for output in outputs]
    operation = OPERATORS[node.op_type]
    if OPERATIONS[operation].is_loss:
        case = _loss(operation, name, inputs, attributes)
    elif operation == "logsumexp":
        case = _reduction(name, inputs, attributes)
        outputs[0] = outputs[0].reshape(_without(case.shape, case.class_axis))
    else:
        case = _of_rows(operation, name, values, int(attributes.get("axis", -1)))
    yield NodeCase(case, node.op_type, outputs[0])
    # The second output of SoftmaxCrossEntropyLoss is a log_softmax over axis 1.
    if len(outputs) > 1:
        second = _of_rows("log_softmax", f"{name}.{LOG_PROB}", values, 1)
        yield NodeCase(second, f"{node.op_type}.{LOG_PROB}", outputs[1])


def _of_rows(operation: str, name: str, values: Array, axis: int) -> Case:
    options = Options(axis=axis)
    case = Case(
        operation,
        f"onnx:{name}",
        values.shape,
        values.dtype.name,
        options=options,
        given=Inputs(values),
    )
    if not values.shape[case.class_axis]:
        raise LeftOutError("an axis without classes, of which the contract says nothing")
    return case


def _reduction(name: str, inputs: Any, attributes: dict[str, Any]) -> Case:
    """Return the case of `logsumexp` over the reduced axes; no axes stand for all of them.

    `logsumexp` reduces one axis, so several axes are joined to one and put last. It has no
    `keepdims`, which changes the shape alone: the expected output is reshaped by the caller.
    """
    values, *rest = inputs
    axes = [int(axis) for axis in (rest[0] if rest else attributes.get("axes", ()))]
    if not axes and attributes.get("noop_with_empty_axes"):
        raise LeftOutError("reduces nothing")
    if len(axes) == 1:
        return _of_rows("logsumexp", name, values, axes[0])
    reduced = {axis % values.ndim for axis in axes or range(values.ndim)}
    kept = [axis for axis in range(values.ndim) if axis not in reduced]
    shape = [values.shape[axis] for axis in kept]
    flat = values.transpose(*kept, *sorted(reduced)).reshape(*shape, -1)
    return _of_rows("logsumexp", name, flat, -1)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _loss(operation: str, name: str, inputs: Any, attributes: dict[str, Any]) -> Case:
    values, target, *weight = inputs
    options = Options(
        weight="given" if weight else None,
        ignore_index=int(attributes.get("ignore_index", Options().ignore_index)),
        reduction=attributes.get("reduction", b"mean").decode(),
    )
    return Case(
        operation,
        f"onnx:{name}",
        values.shape,
        values.dtype.name,
        "index",
        target_family_of(target, "index", options),
        options,
        given=Inputs(values, target, *weight),
        target_dtype="" if target.dtype == np.int64 else target.dtype.name,
    )
