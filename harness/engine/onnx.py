"""Judge ONNX itself: the expected outputs of its node cases, and its reference evaluator.

Both are judged like the answers of a framework: values only, in mode `eager`. ONNX is not one of
the `backends`: it supplies questions, and answers only its own suite. Its evaluator is NumPy code,
so it runs in the judging process, not in a worker.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Any

import numpy as np

from ...backends import EAGER
from ...backends.claim import Claim
from ...cases.model import Case, Inputs
from ...cases.onnx_suite import LOG_PROB, OPERATORS, collected
from ...cases.operations import OPERATIONS
from ..answers import Failure, Observation, one_line
from ..runfile import WorkerRow
from ..workers import Catalogue
from .flow import Flow
from .plan import Plan

FRAMEWORK = "onnx"
_EXPECTED = "onnx.backend.test"  # the package of its node cases
_EVALUATOR = "onnx.reference"
_OPTIONS = frozenset({"axis", "weight", "ignore_index", "reduction"})
_ARGUMENTS = ("values", "target", "weight")


def answer_onnx(
    cases: Sequence[Case], flow: Flow, progress: Callable[[str, str, int, int], None]
) -> WorkerRow:
    """Judge the answers of ONNX to the cases of its suite.

    Args:
        cases: the cases of the suite.
        flow: records the answers.
        progress: called with name, state, and the number of cases that are done and of all.

    Returns:
        The row of ONNX's versions.
    """
    environment = {"versions": _versions(), "device": "cpu"}
    flow.findings.meet(FRAMEWORK, Catalogue(claims(), environment))
    progress(FRAMEWORK, "asking", 0, len(cases))
    expected = {node.case.id: node for node in collected().cases}
    for case in cases:
        if case.id in expected:
            node = expected[case.id]
            claim = _claim(f"{_EXPECTED}.{node.operator}", case.operation)
            answer = Observation(case.id, claim.name, EAGER, {"value": node.expected})
            if not flow.writer.has(claim, EAGER, case):
                flow.record(FRAMEWORK, [(case, answer)])
        for claim in _evaluators(case):
            reason = claim.unsupported(case)
            if flow.writer.has(claim, EAGER, case):
                continue
            if reason:
                flow.record_unclaimed(claim, case, reason)
            else:
                flow.record(FRAMEWORK, [(case, evaluated(claim, case))])
    progress(FRAMEWORK, "done", len(cases), len(cases))
    return WorkerRow(FRAMEWORK, "cpu", environment)


def claims() -> tuple[Claim, ...]:
    """Return the claims of ONNX: for each operator its expected outputs and its evaluator."""
    pairs = [
        (f"{place}.{operator}", operation)
        for place in (_EVALUATOR, _EXPECTED)
        for operator, operation in OPERATORS.items()
    ]
    log_prob = (f"{_EXPECTED}.SoftmaxCrossEntropyLoss.{LOG_PROB}", "log_softmax")
    return tuple(_claim(name, operation) for name, operation in [*pairs, log_prob])


def _claim(name: str, operation: str) -> Claim:
    contract = OPERATIONS[operation]
    targets = frozenset({"index"}) if contract.is_loss else frozenset[str]()
    options = _OPTIONS & frozenset(contract.options)
    return Claim(name, FRAMEWORK, operation, "native", targets, options)


def _evaluators(case: Case) -> Iterator[Claim]:
    for operator, operation in OPERATORS.items():
        if operation == case.operation:
            yield _claim(f"{_EVALUATOR}.{operator}", operation)


def evaluated(claim: Claim, case: Case) -> Observation:
    """Evaluate ONNX's reference evaluator on a case.

    Args:
        claim: the claim of an operator of the evaluator.
        case: the inputs and options.
    """
    from onnx.reference import ReferenceEvaluator

    feeds = _feeds(case, case.inputs())
    evaluator = ReferenceEvaluator(_node(claim.name.rpartition(".")[2], case, list(feeds)))
    begin = time.perf_counter()
    answer: Any
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = np.asarray(evaluator.run(None, feeds)[0])
        except Exception as error:  # noqa: BLE001 -- whatever it raises is an answer
            answer = Failure.of("raised", error)
    seconds = time.perf_counter() - begin
    said = dict.fromkeys(one_line(str(warning.message)) for warning in caught)
    return Observation(case.id, claim.name, EAGER, {"value": answer}, seconds, "; ".join(said))


def _feeds(case: Case, inputs: Inputs) -> dict[str, Any]:
    feeds = {name: array for name in _ARGUMENTS if (array := getattr(inputs, name)) is not None}
    if case.operation == "logsumexp":
        feeds["axes"] = np.array([case.options.axis])
    return feeds


def _node(operator: str, case: Case, inputs: list[str]) -> Any:
    """Return the node of a case; the evaluator uses the latest opset that onnx supports."""
    from onnx import helper

    attributes: dict[str, Any] = {}
    if case.contract.is_loss:
        attributes["reduction"] = case.options.reduction
        if "ignore_index" in case.needs:
            attributes["ignore_index"] = case.options.ignore_index
    elif case.operation == "logsumexp":
        attributes["keepdims"] = 0
    else:
        attributes["axis"] = case.options.axis
    return helper.make_node(operator, inputs, ["result"], **attributes)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("onnx", "numpy")}


def asks_onnx(plan: Plan) -> bool:
    """Return whether ONNX answers its own suite, which it does on the CPU and eagerly only."""
    is_eager = not plan.modes or "eager" in plan.modes
    return plan.suite.name == "onnx" and plan.device == "cpu" and is_eager
