"""Show whether two runs say the same: `python scripts/same_verdicts.py OLD.sqlite NEW.sqlite`.

Each row of one run must be in the other one, equal in all that is compared: who answered what, the
verdict, its size, the two numbers and the entry of the ledger. Times and fingerprints of arrays are
left out, as are notes, which are sentences for readers. The exit status is 0 where the runs are the
same, 1 where they differ, 2 where one of them cannot be read.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from lossdiff.harness.runfile import RunFile
from lossdiff.harness.verdicts import EQUIVALENCE_MEANINGS, equivalence_of

from lossdiff.errors import RunFileError

COMPARED = {
    "verdicts": (
        '"case"', "implementation", "framework", "mode", "device", "quantity", "verdict", "ulp",
        "ratio", "abs_error", '"where"', "exact", "got", "known", "ledger",
    ),
    "worked": ("example", "implementation", "mode", "dtype", "printed", "got", "agrees"),
    "relations": (
        'equivalence("relation")', '"left"', '"right"', "framework", "mode", "dtype", "cases",
        "largest_difference", "largest_ratio", "agrees",
    ),
    "domains": (
        "implementation", "mode", "dtype", "sweep", "leaves_bound_at", "left_by", "breaks_at",
        "broken_by", "quantity", '"case"',
    ),
}  # fmt: skip
_SHOWN = 10


def main() -> int:
    """Compare two run files, and print what only one of them holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--most", type=int, default=_SHOWN, help="rows that are shown of each kind")
    options = parser.parse_args()
    try:
        for path in (options.old, options.new):
            RunFile.open(path).close()  # refuses what is no run file, or is of another format
    except RunFileError as error:
        print(f"same_verdicts: {error}", file=sys.stderr)
        return 2
    with closing(joined(options.old, options.new)) as connection:
        same = [compared(connection, table, options.most) for table in COMPARED]
    return 0 if all(same) else 1


def joined(old: Path, new: Path) -> sqlite3.Connection:
    """Return a connection that reads both runs."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("equivalence", 1, _relation, deterministic=True)
    for name, path in (("old", old), ("new", new)):
        connection.execute(f"ATTACH ? AS {name}", (str(path),))
    return connection


def _relation(name: str) -> str:
    """Return one name for a relation, whether its run called it by its name or its meaning."""
    return EQUIVALENCE_MEANINGS.get(equivalence_of(name), name)


def compared(connection: sqlite3.Connection, table: str, most: int) -> bool:
    """Print how many rows of a table the runs share, and those that only one of them holds."""
    columns = ", ".join(COMPARED[table])
    counts = [
        connection.execute(f"SELECT count(*) FROM {name}.{table}").fetchone()[0]
        for name in ("old", "new")
    ]
    print(f"{table}: {counts[0]} rows in the old run, {counts[1]} in the new one")
    differ = 0
    for one, other in (("old", "new"), ("new", "old")):
        query = f"SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table}"
        rows = connection.execute(query).fetchall()
        differ += len(rows)
        for row in rows[:most]:
            print(f"  only in the {one} run: {', '.join(map(str, row))}")
        if len(rows) > most:
            print(f"  and {len(rows) - most} more rows that are only in the {one} run")
    return differ == 0 and counts[0] == counts[1]


if __name__ == "__main__":
    sys.exit(main())
