"""Run the kernels of Pallas in its interpreter, as a process for the mode `interpret` does."""

from __future__ import annotations

from functools import wraps
from typing import Any

from jax.experimental import pallas


def interpret_kernels() -> None:
    """Make `pallas_call` interpret what it is given from now on, in the whole process.

    A kernel that asks for an interpreter itself, such as one that simulates a TPU, keeps it.
    """
    compiled = pallas.pallas_call

    @wraps(compiled)
    def interpreted(*arguments: Any, interpret: Any = False, **keywords: Any) -> Any:
        return compiled(*arguments, interpret=interpret or True, **keywords)

    pallas.pallas_call = interpreted
