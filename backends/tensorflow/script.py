"""How scripts for TensorFlow and Keras are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..dialect import ScriptCall, ScriptDialect, comma, function_lines

_KEPT = ("TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS")  # settings of a run that change its numbers


class TensorflowDialect(ScriptDialect):
    """TensorFlow, and Keras on top of it."""

    imports = ("import numpy as np", "import tensorflow as tf")
    prefix = "tf"
    to_float64 = "np.asarray(got.numpy()).astype(np.float64)"
    variables: ClassVar[Mapping[str, str]] = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    on_cpu: ClassVar[Mapping[str, str]] = {"CUDA_VISIBLE_DEVICES": ""}

    def environment(
        self, device: str, facts: Mapping[str, Any], imports: Sequence[str]
    ) -> dict[str, str]:
        variables = super().environment(device, facts, imports)
        if any("keras" in line for line in imports):
            variables["KERAS_BACKEND"] = "tensorflow"
        return variables | {name: facts[name] for name in _KEPT if facts.get(name)}

    def listed(self, numbers: str, dtype: str, device: str) -> str:
        return f"tf.constant({numbers}, dtype={dtype})"

    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        return f"tf.fill({shape}, tf.constant({number}, dtype={dtype}))"

    def converted(self, array: str, dtype: str, device: str) -> str:
        return f"tf.cast(tf.constant({array}), {dtype})"

    def moved(self, array: str, source: int, to: int) -> str:
        return f"tf.experimental.numpy.moveaxis({array}, {source}, {to})"

    def call_lines(self, call: ScriptCall) -> list[str]:
        compiled = f"tf.function(run, autograph=False, jit_compile={call.mode == 'xla'})"
        if not call.wrt:
            if call.is_eager:
                return [f"got = {call.call}"]
            return function_lines(call, f"got = {compiled}({comma(call.arrays)})")
        which = f"gradient[{call.position}]" if len(call.wrt) > 1 else "gradient"
        got = "value" if call.wants_value else f"tf.convert_to_tensor({which})"
        tape = self._tape(call)
        if call.is_eager:
            return [*tape, f"got = {got}"]
        seeds = ("cotangent", "direction") if call.wants_second else ("cotangent",)
        arrays = comma((*seeds, *call.arrays))
        body = [*tape, f"return value, {got}"]
        return [
            "", f"def run({arrays}):", *(f"    {line}" for line in body), "", "",
            f"_, got = {compiled}({arrays})",
        ]  # fmt: skip

    def _tape(self, call: ScriptCall) -> list[str]:
        """The lines that compute `value` and `gradient`."""
        wrt = call.wrt[0] if len(call.wrt) == 1 else f"[{comma(call.wrt)}]"
        is_seeded = self.names_cotangent(call)
        seed = ", output_gradients=tf.cast(cotangent, value.dtype)" if is_seeded else ""
        tape = [
            "with tf.GradientTape() as tape:",
            f"    tape.watch({wrt})",
            f"    value = {call.call}",
            f"gradient = tape.gradient(value, {wrt}{seed})",
        ]
        if not call.wants_second:
            return tape
        return [
            "with tf.GradientTape() as outer:",
            f"    outer.watch({wrt})",
            *(f"    {line}" for line in tape),
            f"gradient = outer.gradient(gradient, {wrt}, output_gradients=direction)",
        ]


DIALECT = TensorflowDialect()
