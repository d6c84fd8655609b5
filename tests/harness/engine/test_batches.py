"""Questions are sent together as far as that costs nothing."""

from __future__ import annotations

from itertools import product

from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite
from lossdiff.harness.engine.batches import Batch, Questions, Unclaimed, WorkerPool
from lossdiff.harness.engine.plan import Plan

KINDS = frozenset({"index", "one_hot"})
OPTIONS = frozenset({"reduction"})
CASES = tuple(
    Case.parse(f"cross_entropy/{kind}.random/float32/4x10/{family}/{options}/0")
    for kind, options, family in product(
        sorted(KINDS), ("-", "reduction=none", "reduction=sum"), ("normal", "ties", "far_tail")
    )
)


def batches(framework: str, mode: str) -> list[Batch]:
    """Return the batches in which the cases are sent."""
    claim = Claim("mine.loss", framework, "cross_entropy", "native", KINDS, OPTIONS)
    plan, pool = Plan(Suite("full", CASES), (framework,), (mode,)), WorkerPool(framework, (mode,))
    (found,) = Questions(plan, pool, [claim], lambda *_: False).partitions()
    return [batch for batch in found if not isinstance(batch, Unclaimed)]


def test_few_questions_of_several_signatures_are_sent_together_and_each_once() -> None:
    found = batches("numpy", "eager")

    assert list(CASES) == [question.case for batch in found for question in batch]
    assert list(map(len, found)) == [15, 3]


def test_those_of_one_signature_are_sent_alone_where_each_takes_seconds_to_compile() -> None:
    found = batches("torch", "compile")

    assert found
    assert [1] * len(found) == [len({it.case.signature for it in batch}) for batch in found]
