"""Run a script as its reader will, and find out whether it shows its verdict."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from ..workers import Watchdog, share_of_memory
from .memory import MemoryGuard

_LIMIT = 300.0  # seconds in which a script has to end


def why_not_shown(text: str, word: str, memory: int = 0) -> str:
    """Run a script as its reader will, in an empty folder and a fresh interpreter.

    Args:
        text: a result of `write_script`.
        word: the word of the verdict.
        memory: bytes that the script may take; 0 for its share of the machine.

    Returns:
        Why the script does not show the verdict; empty if it does.
    """
    guard = MemoryGuard(memory or share_of_memory(1))
    with tempfile.TemporaryDirectory() as folder, Watchdog(guard.poll):
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-"], input=text.encode(), cwd=folder, capture_output=True,
                timeout=_LIMIT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "" if word == "timed out" else f"it does not end within {_LIMIT:g} s"
    if reason := guard.reason:
        return "" if word == "crashed" else reason
    # A script that shows a crash dies with the status of the crash, so that the last line of its
    # output decides first, and the status only where no crash is expected.
    said = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    if "not reproduced" in (said[-1] if said else ""):
        return said[-1]
    if done.returncode and word != "crashed":
        error = done.stderr.decode(errors="replace").strip().splitlines()
        return error[-1] if error else f"it ended with status {done.returncode}"
    return ""
