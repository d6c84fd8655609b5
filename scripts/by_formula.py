"""Compare the oracle and the bounds that are derived by hand with those of the formulas.

`python scripts/by_formula.py` draws cases of each built-in operation from the suite `full`, with
all options and targets, and answers each twice: by the oracle that was written for the operation,
and by its formula (`harness/formula/operations.py`). It prints the table of docs/numerics.md: the
largest difference of the two answers, in ulp of the dtype, and the bound by machine over that by
hand. The CPU seconds of both are those of this process.

`python scripts/by_formula.py --cases 200 cross_entropy` draws more, of one operation.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import BUILT_IN
from lossdiff.cases.suites import suite
from lossdiff.harness.bounds import SOUND, bound, precision_of
from lossdiff.harness.formula import ByFormula
from lossdiff.harness.oracle import Exact, solve

_MOST_NUMBERS = 300  # of the logits of a case
_SEED = 0
_NO_LIMIT = 1e3
_COLUMNS = (
    "operation",
    "numbers",
    "one answer only",
    "largest difference, ulp",
    "bound by machine over bound by hand: smallest, median, largest",
    "inside ½ … 2",
    "time by machine over by hand",
)


@dataclass
class Row:
    """What was found of one operation.

    Attributes:
        numbers: how many numbers were compared.
        differing: how many have an answer by one of the two only.
        worst: the largest difference, in ulp.
        ratios: the bounds by machine over those by hand.
        by_hand, by_machine: CPU seconds.
    """

    numbers: int = 0
    differing: int = 0
    worst: float = 0.0
    ratios: list[np.ndarray] = field(default_factory=list)
    by_hand: float = 0.0
    by_machine: float = 0.0

    def line(self, name: str) -> str:
        """Return the row of the table."""
        found = np.concatenate(self.ratios)
        inside = 100 * np.mean((found > 0.499) & (found < 2.001))
        size = f"2^{np.log2(self.worst):.0f}" if self.worst else "0"
        three = ", ".join(map(_ratio, (found.min(), np.median(found), found.max())))
        seconds = f"{self.by_machine / self.by_hand:.1f}"
        counts = f"{self.numbers} | {self.differing}"
        return f"| `{name}` | {counts} | {size} | {three} | {inside:.1f}% | {seconds} |"


def _ratio(number: float) -> str:
    return f"{number:.2f}" if number < _NO_LIMIT else "no limit"


def drawn(operation: str, count: int) -> list[Case]:
    """Return some cases of an operation that have an answer, of few numbers."""
    whole = [
        case
        for case in suite("full").cases
        if case.operation == operation
        and 0 < np.prod(case.shape) <= _MOST_NUMBERS
        and not case.mixes_dtypes
        and case.shape
    ]
    order = np.random.default_rng(_SEED).permutation(len(whole))
    whole = [whole[it] for it in order]
    return [case for case in whole if not solve(case, case.inputs()).refusal][:count]


def compared(case: Case, row: Row) -> None:
    """Answer a case in both ways, and add what comes out to a row."""
    inputs = case.inputs()
    begun = time.process_time()
    solution = solve(case, inputs)
    quantities = {it: exact for it, exact in solution.quantities.items() if it != "hvp_logits"}
    by_hand = {it: bound(case, solution, it, SOUND) for it in quantities}
    between = time.process_time()
    formula = ByFormula(case, inputs, quantities["value"].shape)
    precision = precision_of(case.dtype, SOUND)
    answers = dict(formula.quantities())
    by_machine = {it: formula.bound(it, precision) for it in quantities}
    row.by_hand += between - begun
    row.by_machine += time.process_time() - between
    for name, exact in quantities.items():
        one, other = exact, answers[name]
        both = np.isfinite(one.hi) & np.isfinite(other.hi)
        alike = both | ((one.hi == other.hi) | (np.isnan(one.hi) & np.isnan(other.hi)))
        row.numbers += int(both.sum())
        row.differing += int((~alike).sum())
        row.worst = max(row.worst, _distance(one, other, both, case.dtype))
        with np.errstate(all="ignore"):
            ratio = (by_machine[name] / by_hand[name])[both & (by_hand[name] > 0)]
        row.ratios.append(ratio[np.isfinite(ratio)].ravel())


def _distance(one: Exact, other: Exact, both: np.ndarray, dtype: str) -> float:
    """Return the largest difference of two answers, in ulp of the dtype."""
    form = FORMATS[dtype]
    with np.errstate(all="ignore"):
        difference = np.abs((one - other).to_float())
        size = np.maximum(np.abs(one.to_float()), 2.0**form.emin)
        ulp = np.exp2(np.floor(np.log2(size)) - (form.precision - 1))
        off = np.where(both & np.isfinite(size), difference / ulp, 0.0)
    return float(off.max(initial=0.0))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("operations", nargs="*", help="all but that of hidden states by default")
    parser.add_argument("--cases", type=int, default=120, help="of each operation")
    arguments = parser.parse_args()
    names = [name for name, it in BUILT_IN.items() if not it.is_linear]
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for name in arguments.operations or names:
        row = Row()
        for case in drawn(name, arguments.cases):
            compared(case, row)
        print(row.line(name), flush=True)


if __name__ == "__main__":
    main()
