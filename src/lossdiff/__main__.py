"""The program `lossdiff`."""

from __future__ import annotations

import sys

# `python -m` puts the current folder first, where a `statistics.py` would take the place of
# Python's. It comes last here: a user's own module in it is found, and nothing else is replaced.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

from ._cli.ending import finished, status_after
from ._cli.signals import hear, ignore, signals
from ._cli.streams import prepare


def main() -> None:
    """Run the command line and exit with its status."""
    hear()
    prepare()
    status = finished(status_after(_run))
    ignore()
    sys.exit(status)


def _run() -> int:
    with signals.deferred():  # an import that is broken off fails in ways of its own
        from ._cli.main import run
    return run()


if __name__ == "__main__":
    main()
