"""Each sub-command in each kind of trouble: its status, one line, and nothing left behind.

The statuses are those of the README. The short sub-commands are tried in every kind, the longer
ones in the kinds that matter to them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status

from .trouble import CHECK, COMMANDS, Ended, Process, Trouble

KILLS = int(os.environ.get("LOSSDIFF_KILLS", "1"))  # of each sub-command; each takes seconds
_SHORT = ("help", "wrong", "show")
_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs that the sub-commands read."""
    folder = tmp_path_factory.mktemp("runs")
    for name, options in (("run", ()), ("1", ("--shard", "1/2")), ("2", ("--shard", "2/2"))):
        path = folder / f"{name}.sqlite"
        assert cli.run([*CHECK[:-1], str(path), *options]) == Status.OK
    return folder


@dataclass(frozen=True)
class Kind:
    """A kind of trouble, and what is due in it.

    Attributes:
        trouble: the trouble.
        commands: the longer sub-commands that it is tried on.
        status: the status that is due; None for that of the sub-command without any trouble.
        refused: whether it may end with 2 or 3 instead, as the machine lacks something.
    """

    trouble: Trouble
    commands: tuple[str, ...] = ()
    status: int | None = None
    refused: bool = False


KINDS = {
    "stdin is closed": Kind(Trouble('exec "$@" <&-'), ("check", "markdown")),
    "stdout is closed": Kind(Trouble('exec "$@" >&-'), ("list", "merge", "markdown"), status=2),
    "stderr is closed": Kind(Trouble('exec "$@" 2>&-'), ("check", "report")),
    "all streams are closed": Kind(
        Trouble('exec "$@" <&- >&- 2>&-'), ("repro",), status=2
    ),
    "stdout is full": Kind(Trouble('exec "$@" >/dev/full'), ("check", "compare", "markdown"),
                           status=2),
    "stderr is full": Kind(Trouble('exec "$@" 2>/dev/full'), ("repro", "merge")),
    "both are full": Kind(Trouble('exec "$@" >/dev/full 2>&1'), ("report",), status=2),
    "the reader of stdout has gone": Kind(
        Trouble('{ "$@"; echo "$?" >s; } | true; read s <s; rm s; exit "$s"'),
        ("check", "compare", "markdown"),
    ),
    "the reader of stderr has gone": Kind(
        Trouble('{ { "$@" 2>&3; echo "$?" >s; } 3>&1 >/dev/null | true; }; read s <s; rm s; '
                'exit "$s"'), ("check",),
    ),
    "the locale is ASCII": Kind(Trouble(environment=_ASCII), ("check", "list", "repro", "report")),
    "the output is ASCII": Kind(Trouble(environment={"PYTHONIOENCODING": "ascii"}), ("list",)),
    "there is no folder of temporary files": Kind(
        Trouble(environment={"TMPDIR": "/no/such"}), ("repro",)
    ),
    "there is no home": Kind(
        Trouble(environment={"HOME": "/no/such", "XDG_CACHE_HOME": None}), ("implementations",)
    ),
    "there is no environment": Kind(Trouble('exec env -i "$@"'), ("merge",)),
    "there are few descriptors": Kind(
        Trouble('ulimit -n 12; exec "$@"'), ("check", "compare"), refused=True
    ),
    "files must be small": Kind(Trouble('ulimit -f 8; exec "$@"'), ("merge", "report"),
                                refused=True),
    "the folder has been removed": Kind(
        Trouble('rm -r "$PWD"; exec "$@"'), ("list", "check", "merge"), refused=True
    ),
    "the terminal has no size": Kind(
        Trouble(environment={"TERM": None, "COLUMNS": "1", "LINES": "0"}), ("list",)
    ),
    "warnings are errors": Kind(Trouble(environment={"PYTHONWARNINGS": "error"}),
                                ("check",)),
    "assertions are left out": Kind(Trouble(python=("-O",)), ("merge",)),
    "the interpreter is isolated": Kind(Trouble(python=("-I",)), ("merge",)),
}  # fmt: skip
CELLS = [(name, command) for name, kind in KINDS.items() for command in (*_SHORT, *kind.commands)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(("name", "command"), CELLS)
def test_a_command_in_trouble_ends_with_its_status_and_one_line(
    runs: Path, tmp_path: Path, name: str, command: str
) -> None:
    kind, asked = KINDS[name], COMMANDS[command]

    ended = Process(runs, tmp_path, asked, kind.trouble).ended()

    due = {asked.status if kind.status is None else kind.status}
    assert ended.status in due | ({Status.USAGE, Status.NOTHING} if kind.refused else set()), ended
    check_that_nothing_is_left(ended)
    if ended.status == Status.OK:
        assert ended.lines == []
        assert asked.result in {*ended.files, ""}
    elif "stderr" not in name and "both" not in name and "all" not in name:
        assert len(ended.lines) == 1, ended.err
    if "ASCII" in name:
        assert (ended.out + ended.err).isascii()


def check_that_nothing_is_left(ended: Ended) -> None:
    """Look for processes, temporary files, tracebacks and more than one line of error."""
    assert "Traceback" not in ended.err
    assert "internal error" not in ended.err
    assert len(ended.lines) <= 1, ended.err
    assert (ended.left, ended.temporary) == ([], [])


# --- signals at any moment ---------------------------------------------------------------------

_SENT = [
    (signal.SIGINT,), (signal.SIGTERM,), (signal.SIGHUP,),
    (signal.SIGINT, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGHUP),
]  # fmt: skip
# Seconds that a sub-command takes on a machine that does nothing else; of `bench` the beginning.
_SECONDS = {
    "list": 0.5, "implementations": 1.5, "show": 0.5, "compare": 1.5, "merge": 1.0, "report": 2.0,
    "repro": 3.0, "check": 2.0, "bench": 5.0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Under nohup some signals are ignored, and would be in a child."""
    ignored = [s for s in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(s) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("seed", range(KILLS))
@pytest.mark.parametrize("command", _SECONDS)
def test_a_signal_at_any_moment_ends_a_command_with_one_line(
    runs: Path, tmp_path: Path, command: str, seed: int
) -> None:
    asked, draw = COMMANDS[command], random.Random(f"{command}/{seed}")  # noqa: S311 -- a moment
    sent, moment = draw.choice(_SENT), draw.uniform(0, _SECONDS[command])
    process = Process(runs, tmp_path, asked, Trouble())

    process.wait_until_it_hears()
    time.sleep(moment)
    process.send(sent)

    ended = process.ended()
    check_that_nothing_is_left(ended)
    assert ended.status in {asked.status, *(128 + number for number in sent)}, ended
    assert {name for name in ended.files if not name.endswith("-benchmark.json")} <= {asked.result}
    assert len(ended.lines) == (ended.status >= 128), ended
