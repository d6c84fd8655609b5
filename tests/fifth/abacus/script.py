"""How scripts for it are written; a reader without an abacus takes NumPy."""

from __future__ import annotations

from lossdiff.backends.dialect import ScriptCall, ScriptDialect


class AbacusDialect(ScriptDialect):
    """NumPy, whose arrays these are."""

    imports = ("import numpy as np",)
    prefix = "np"

    def listed(self, numbers: str, dtype: str, device: str) -> str:
        return f"np.array({numbers}, dtype={dtype})  # by abacus"

    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        return f"np.full({shape}, {number}, dtype={dtype})  # by abacus"

    def converted(self, array: str, dtype: str, device: str) -> str:
        return f"{array}.astype({dtype})"

    def call_lines(self, call: ScriptCall) -> list[str]:
        return [f"got = {call.call if call.wants_value else call.gradient + '[0]'}"]


DIALECT = AbacusDialect()
