"""The entry point of `python -m lossdiff` and of the console script."""

from __future__ import annotations

import sys

# `python -m` puts the current folder first, where a `statistics.py` would take the place of
# Python's. It comes last here: a user's own module in it is found, and nothing else is replaced.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))


def main() -> None:
    """Run the command line and exit with its status."""
    from ._cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
