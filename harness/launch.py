"""Start the processes of workers, perhaps before it is known in full what one of them is for.

A command that needs a worker first imports as much as the worker does, for about as long. So it may
start the process at once, with a `Hint` of what it will ask for; meanwhile the process imports
lossdiff and the framework. It is taken only by what asks for just that. This file imports little,
so that it happens at once.

The process has a session of its own: a signal of the terminal does not reach it, and it can be
ended together with the processes that its functions have left behind. Its parent does nothing but
wait for it: a function that signals the parent of its process does not reach the judging process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from . import guard
from .progress import SharedProgress

# The search path is set before anything else but these modules of Python is imported, and -P keeps
# them from being taken from the current folder. The parent closes its ends of the pipes, which the
# death of the worker must close, and ends as the worker does. Another interpreter has a search path
# of its own. Garbage is not collected during the import: each collection would go through all that
# is there, and little of it is garbage.
_BOOTSTRAP = """
import gc, json, os, sys
shared = int(sys.argv[2])
if worker := os.fork():
    for descriptor in (0, 1, shared):
        os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    if status < 0:
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -status)
    os._exit(status)
path = json.loads(sys.argv[1])
if path:
    sys.path[:] = path
gc.disable()
from lossdiff.harness.workers.process import main
gc.enable()
main(shared, json.loads(sys.argv[3]))
"""


@dataclass(frozen=True)
class Hint:
    """What a process has to know before it imports a framework, as in `workers.Setup`.

    Attributes:
        framework: a name of `backends.FRAMEWORKS`.
        device: `cpu` or `gpu`.
        threads: how many threads the framework may use; 0 for its default.
        cache: folder in which compilers keep their programs; empty for none, None for the settings
            of the machine.
        mode: the mode that the process is for.
        log: the file that the process's output goes to.
        python: the interpreter of another environment that runs it; empty for this one.
    """

    framework: str
    device: str = "cpu"
    threads: int = 0
    cache: str | None = None
    mode: str = "eager"
    log: str = os.devnull
    python: str = ""


@dataclass(frozen=True)
class Launched:
    """A process that was started.

    Attributes:
        process: the parent of the worker.
        progress: the memory that is shared with it.
        mark: what the variable `guard.MARK` holds in it.
    """

    process: subprocess.Popen[bytes]
    progress: SharedProgress
    mark: str

    def end(self) -> None:
        """End the process, which has not been used."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.progress.close()
        with suppress(OSError):
            self.process.kill()
        self.process.wait()


_AHEAD: dict[Hint, Launched] = {}


def launch_ahead(hint: Hint) -> None:
    """Start a process that `launched` is to return, and that imports its framework until then."""
    with suppress(OSError):  # whoever needs it will say so
        _AHEAD[hint] = _launch(hint, hint)


def launched(hint: Hint) -> Launched:
    """Return a process for a worker: one that was started ahead for the same, or a new one.

    Args:
        hint: what the worker is for.

    Raises:
        OSError: the process cannot be started.
    """
    return _AHEAD.pop(hint, None) or _launch(hint, None)


def end_ahead() -> None:
    """End the processes that were started ahead and that nobody has asked for."""
    while _AHEAD:
        _AHEAD.popitem()[1].end()


def _launch(of: Hint, hint: Hint | None) -> Launched:
    progress, mark = SharedProgress.create(), f"{os.getpid()}-{uuid4()}"
    ours = [] if of.python else [str(Path(place).absolute()) for place in sys.path]
    given = json.dumps(None if hint is None else asdict(hint))
    try:
        with Path(of.log).open("ab") as log:
            process = subprocess.Popen(
                [
                    of.python or sys.executable,
                    "-P",
                    "-c",
                    _BOOTSTRAP,
                    json.dumps(ours),
                    str(progress.descriptor),
                    given,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env={**os.environ, guard.MARK: mark},
                pass_fds=[progress.descriptor],
                start_new_session=True,
            )
    except OSError:
        progress.close()
        raise
    return Launched(process, progress, mark)
