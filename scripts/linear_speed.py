"""Print the seconds that judging a linear loss takes: `python scripts/linear_speed.py [NxHxC …]`.

The answer that is judged is the exact one, rounded to float32. Seconds are those of the processor,
of all threads together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from lossdiff.cases.model import Case
from lossdiff.harness.judging import judge, solved_case

SHAPES = ("64x64x1000", "256x64x1000", "512x512x4096")


def main(shapes: Sequence[str]) -> None:
    """Print a line for each shape."""
    for shape in shapes:
        solved = solved_case(
            Case.parse(f"linear_cross_entropy/index.random/float32/{shape}/normal/-/0")
        )
        solved.case.inputs()
        begin = time.process_time()
        quantities = solved.solution.quantities
        middle = time.process_time()
        for name, exact in quantities.items():
            judge(solved, name, exact.to_float().astype(solved.case.dtype))
        end = time.process_time()
        print(f"{shape}: solved in {middle - begin:.1f} s, judged in {end - middle:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Print the seconds that judging a linear loss takes."
    )
    parser.add_argument("shapes", nargs="*", default=SHAPES, metavar="NxHxC")
    main(parser.parse_args().shapes)
