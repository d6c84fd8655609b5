"""Make cases/data/covering.json: the covering arrays of the suites `quick` and `full`.

    pip install covertable && python scripts/make_covering.py

covertable's arrays are the same on every machine. Made with covertable 3.2.0, in about a minute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from covertable import make, sorters
from lossdiff.cases.covering import STRENGTH, Constraint, digest_of
from lossdiff.cases.factors import CONSTRAINTS, factors_of
from lossdiff.cases.operations import BUILT_IN

TARGET = Path(__file__).parents[1] / "cases" / "data" / "covering.json"


def condition(constraint: Constraint) -> dict[str, Any]:
    """Return a constraint in the form that covertable expects."""
    return {
        "operator": "fn",
        "requires": list(constraint.factors),
        "evaluate": constraint.allows,
    }


def array(factors: dict[str, list[Any]], strength: int) -> list[str]:
    """Return the rows of a covering array, each a text of positions of levels."""
    # The sorter by hash gives the same array in every run; that by random order does not. An
    # operation may have fewer factors than the strength.
    rows = make(
        factors,
        strength=min(strength, len(factors)),
        sorter=sorters.hash,
        constraints=[condition(item) for item in CONSTRAINTS if set(item.factors) <= set(factors)],
    )
    # Positions are found with ==, to which 0, 0.0 and False are equal; no factor has two of them.
    return [
        " ".join(str(levels.index(row[name])) for name, levels in factors.items()) for row in rows
    ]


def main() -> None:
    """Make and store the arrays of all operations."""
    made: dict[str, Any] = {}
    for suite, strength in STRENGTH.items():
        made[suite] = {}
        for operation in BUILT_IN.values():
            factors = factors_of(operation, suite)
            rows = array(factors, strength)
            made[suite][operation.name] = {"factors": digest_of(factors), "rows": rows}
            print(f"{suite} {operation.name}: {len(rows)} rows")
    TARGET.write_text(json.dumps(made, indent=0) + "\n")


if __name__ == "__main__":
    main()
