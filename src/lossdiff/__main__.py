"""The entry point of `python -m lossdiff` and of the console script."""

from __future__ import annotations

import sys

# `python -m` puts the current folder first, where a `statistics.py` would take the place of
# Python's. It comes last here: a user's own module in it is found, and nothing else is replaced.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

from ._cli.signals import hear, ignore, signals


def main() -> None:
    """Run the command line and exit with its status."""
    hear()  # first of all; what is heard until `_run` begins waits for it
    from ._cli.ending import status_after

    status = status_after(_run)
    # CPython remembers an interrupt that has ended the `exec` of a text, as in the definition of a
    # data class, and `python -m` then ends as if by SIGINT. The next such `exec` makes it forget.
    exec("")  # noqa: S102
    sys.exit(status)


def _run() -> int:
    from ._cli.ending import finished
    from ._cli.streams import prepare

    prepare()
    from ._cli.ahead import start_ahead

    start_ahead(sys.argv[1:])
    from ._cli.main import run

    signals.act()
    try:
        return finished(run())
    finally:
        ignore()


if __name__ == "__main__":
    main()
