"""Show results as text and in notebooks, and hand them to pandas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from ..errors import FrameworkAbsentError

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 80


def rendered(shown: RenderableType, width: int = WIDTH) -> str:
    """Return what a terminal of some width would show, without colours."""
    from rich.console import Console

    stream = StringIO()
    Console(file=stream, width=width, color_system=None, force_terminal=False).print(shown)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def html_of(shown: RenderableType) -> str:
    """Return what a notebook shows: the text of a wide terminal, in letters of equal width."""
    style = "line-height:normal;font-family:Menlo,Consolas,monospace;white-space:pre"
    return f'<pre style="{style}">{escape(rendered(shown, 100))}</pre>'


def frame_of(rows: Sequence[Any]) -> Any:
    """Return rows as a `pandas.DataFrame`.

    Args:
        rows: dataclasses of one kind.

    Raises:
        FrameworkAbsentError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise FrameworkAbsentError("pandas is not installed; pip install pandas") from error
    return pd.DataFrame([asdict(row) for row in rows])
