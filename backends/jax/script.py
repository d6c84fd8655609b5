"""How scripts for JAX and Optax are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..dialect import ScriptCall, ScriptDialect, comma, function_lines


class JaxDialect(ScriptDialect):
    """JAX with 64-bit types."""

    imports = ("import jax", "import jax.numpy as jnp", "import numpy as np")
    prefix = "jnp"
    variables: ClassVar[Mapping[str, str]] = {"JAX_ENABLE_X64": "1"}
    on_cpu: ClassVar[Mapping[str, str]] = {"JAX_PLATFORMS": "cpu"}

    def listed(self, numbers: str, dtype: str, device: str) -> str:
        return f"jnp.array({numbers}, dtype={dtype})"

    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        return f"jnp.full({shape}, {number}, dtype={dtype})"

    def converted(self, array: str, dtype: str, device: str) -> str:
        return f"jnp.array({array}, dtype={dtype})"

    def call_lines(self, call: ScriptCall) -> list[str]:
        if not call.wrt:
            if call.is_eager:
                return [f"got = {call.call}"]
            return function_lines(call, f"got = jax.jit(run)({comma(call.arrays)})")
        if call.wants_second:
            return _second(call)
        got = "value" if call.wants_value else f"gradients[{call.position}]"
        if call.is_eager:
            seed = "jnp.ones_like(value)"
            if self.names_cotangent(call):
                seed = "cotangent.astype(value.dtype)"
            return [
                f"value, pullback = {_vjp(call)}",
                f"gradients = pullback({seed})",
                f"got = {got}",
            ]
        arrays = comma(("cotangent", *call.arrays))
        return [
            "",
            f"def run({arrays}):",
            f"    value, pullback = {_vjp(call)}",
            "    return value, pullback(cotangent.astype(value.dtype))",
            "",
            "",
            f"value, gradients = jax.jit(run)({arrays})",
            f"got = {got}",
        ]


def _vjp(call: ScriptCall) -> str:
    wrt = comma(call.wrt)
    return f"jax.vjp(lambda {wrt}: {call.call}, {wrt})"


def _second(call: ScriptCall) -> list[str]:
    first, arrays = call.arrays[0], comma(("cotangent", "direction", *call.arrays))
    return [
        "",
        f"def run({arrays}):",
        f"    def gradient({first}):",
        f"        value, pullback = {_vjp(call)}",
        "        return pullback(cotangent.astype(value.dtype))[0]",
        "",
        f"    return jax.vjp(gradient, {first})[1](direction)[0]",
        "",
        "",
        f"got = jax.jit(run)({arrays})",
    ]


DIALECT = JaxDialect()
