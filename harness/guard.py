"""End processes that run a user's functions, with all that they have left behind.

`timing.child` also runs this file as a script between `bench` and each timing process: a function
that kills its parent hits the script, and a timing process that hangs, or is stopped, cannot
outlive a `bench` that was killed. The file imports nothing of lossdiff, so that it starts quickly.

    python -P guard.py FOLDER COMMAND...
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import psutil

MARK = "LOSSDIFF_STARTED_FOR"  # a variable that a process inherits from the one that started it
_ending = threading.Lock()
_SWEEPS, _BETWEEN = 50, 0.02  # a process may fork while the others are being ended


def end_all(mark: str, group: int = 0) -> None:
    """Kill a process group, and every process with a mark in its environment.

    A process that leaves its group, or whose parent is gone, keeps the mark in its environment.

    Args:
        mark: what the variable `MARK` holds; for `bench` it is the private folder.
        group: the id of the process group; 0 if it is unknown.
    """
    if group and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for _ in range(_SWEEPS):
        found = [process for process in psutil.process_iter() if _is_marked(process, mark)]
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        if not found:
            return
        time.sleep(_BETWEEN)


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:  # a process of another user shows no environment, and one that has ended has none
        return bool(process.environ().get(MARK) == mark)
    except (psutil.Error, OSError):
        return False


def _end_with_parent(folder: str) -> None:
    """Wait until `bench` is gone, which closes the standard input; then end and remove all."""
    while os.read(0, 1):
        pass
    _ending.acquire()  # is never released: `main` must not exit before all is removed
    end_all(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Run the command, and exit with its status; a signal N is reported as 128 + N."""
    folder, *command = sys.argv[1:]
    child = subprocess.Popen(
        command,
        env={**os.environ, MARK: folder},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a function that signals its group reaches its own process only
    )
    threading.Thread(target=_end_with_parent, args=[folder], daemon=True).start()
    status = child.wait()
    _ending.acquire()
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
