"""How scripts for NumPy and SciPy are written."""

from __future__ import annotations

from ..dialect import ScriptCall, ScriptDialect


class NumpyDialect(ScriptDialect):
    """NumPy, with the hand-written gradients."""

    imports = ("import numpy as np",)
    prefix = "np"

    def dtype(self, name: str) -> str:
        return "ml_dtypes.bfloat16" if name == "bfloat16" else super().dtype(name)

    def listed(self, numbers: str, dtype: str, device: str) -> str:
        return f"np.array({numbers}, dtype={dtype})"

    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        return f"np.full({shape}, {number}, dtype={dtype})"

    def converted(self, array: str, dtype: str, device: str) -> str:
        return f"{array}.astype({dtype})"

    def names_cotangent(self, call: ScriptCall) -> bool:
        return bool(call.wrt)  # a gradient that is written by hand takes one, whatever the result

    def call_lines(self, call: ScriptCall) -> list[str]:
        is_gradient = call.wrt and not call.wants_value
        got = f"{call.gradient}[{call.position}]" if is_gradient else call.call
        return ['with np.errstate(all="ignore"):', f"    got = {got}"]


DIALECT = NumpyDialect()
