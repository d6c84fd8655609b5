"""How scripts for PyTorch are written."""

from __future__ import annotations

from ..dialect import ScriptCall, ScriptDialect, comma, function_lines


class TorchDialect(ScriptDialect):
    """PyTorch, on the CPU or on CUDA."""

    imports = ("import numpy as np", "import torch")
    prefix = "torch"
    to_float64 = "got.detach().cpu().double().numpy()"

    def listed(self, numbers: str, dtype: str, device: str) -> str:
        return f"torch.tensor({numbers}, dtype={dtype}{_on(device)})"

    def filled(self, shape: tuple[int, ...], number: str, dtype: str, device: str) -> str:
        return f"torch.full({shape}, {number}, dtype={dtype}{_on(device)})"

    def converted(self, array: str, dtype: str, device: str) -> str:
        return f"torch.from_numpy({array}.copy()).to({dtype}{_on(device)})"

    def call_lines(self, call: ScriptCall) -> list[str]:
        text, lines = call.call, []
        if not call.is_eager:
            lines = function_lines(call, "run = torch.compile(run, dynamic=False)")
            text = f"run({comma(call.arrays)})"
        if not call.wrt:
            return [*lines, f"got = {text}"]
        inputs = f"[{comma(call.wrt)}]"
        seed = ", cotangent" if self.names_cotangent(call) else ""
        lines += [f"{name}.requires_grad_()" for name in call.wrt]
        lines += [f"value = {text}"]
        if call.wants_second:
            return [
                *lines,
                f"(gradient,) = torch.autograd.grad(value, {inputs}{seed}, create_graph=True)",
                f"(got,) = torch.autograd.grad(gradient, {inputs}, direction)",
            ]
        got = "value" if call.wants_value else f"gradients[{call.position}]"
        return [*lines, f"gradients = torch.autograd.grad(value, {inputs}{seed})", f"got = {got}"]


def _on(device: str) -> str:
    return ', device="cuda"' if device == "gpu" else ""


DIALECT = TorchDialect()
