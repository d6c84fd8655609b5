"""Show the progress of a run: as bars in a terminal, as a line every few seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from ..printing import printable

_EVERY = 10.0  # seconds between two lines of one framework if there is no terminal


class RunProgress:
    """Displays how far each framework is; call it with (framework, state, done, total)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = time.monotonic()
        self._last: dict[str, tuple[str, float]] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description:<12}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, framework: str, state: str, done: int, total: int) -> None:
        state = printable(state)  # before the columns get their width
        if self._console.is_terminal:
            self._bar(framework, state, done, total)
        else:
            self._line(framework, state, done, total)

    def _bar(self, framework: str, state: str, done: int, total: int) -> None:
        if framework not in self._tasks:
            self._tasks[framework] = self._bars.add_task(framework, state=state, total=None)
        self._bars.update(self._tasks[framework], completed=done, total=total or None, state=state)

    def _line(self, framework: str, state: str, done: int, total: int) -> None:
        # A change of state is always printed, a count only now and then: logs should stay short.
        now = time.monotonic()
        last_state, last_time = self._last.get(framework, ("", 0.0))
        if state == last_state and now - last_time < _EVERY:
            return
        self._last[framework] = (state, now)
        count = f" {done}/{total}" if total else ""
        line = f"[{now - self._begin:5.0f} s] {framework:<12} {state}{count}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
