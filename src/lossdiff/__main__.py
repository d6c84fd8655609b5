"""The entry point of `python -m lossdiff` and of the console script."""

from __future__ import annotations

import sys

from ._cli.main import run


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
