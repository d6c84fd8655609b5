"""The lines of a script that ask one framework for one quantity, as its backend does."""

from __future__ import annotations

from dataclasses import dataclass

from ..answers import HVP_LOGITS
from ..workers import Source


@dataclass(frozen=True)
class ScriptCall:
    """What a script asks.

    Attributes:
        framework, mode, quantity: who is asked, how, and for what.
        source: the function and the call.
        arrays: the names of the call's arrays, the first argument first.
        wrt: by which of them it is differentiated.
        of_scalar: whether the result is a number, whose cotangent is 1.
    """

    framework: str
    mode: str
    quantity: str
    source: Source
    arrays: tuple[str, ...]
    wrt: tuple[str, ...]
    of_scalar: bool

    @property
    def position(self) -> int:
        """Which of the gradients is the quantity."""
        return len(self.wrt) - 1 if self.quantity == "gradient_target" else 0

    @property
    def cotangent(self) -> bool:
        """Whether the lines name a cotangent."""
        if not self.wrt or not self.of_scalar:
            return bool(self.wrt)
        # Elsewhere frameworks take 1 by themselves.
        return self.framework == "numpy" or self.mode != "eager" or self.quantity == HVP_LOGITS


def call_lines(asked: ScriptCall) -> list[str]:
    """Return the lines that compute `got` from the arrays."""
    return _WRITERS[asked.framework](asked)


def _comma(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _function(asked: ScriptCall, decorated: str) -> list[str]:
    """The call as a function of the arrays, compiled."""
    arrays = _comma(asked.arrays)
    return ["", f"def run({arrays}):", f"    return {asked.source.call}", "", "", decorated]


def _numpy(asked: ScriptCall) -> list[str]:
    got = f"{asked.source.gradient}[{asked.position}]" if asked.wrt else asked.source.call
    if asked.wrt and asked.quantity == "value":
        got = asked.source.call
    return ['with np.errstate(all="ignore"):', f"    got = {got}"]


def _torch(asked: ScriptCall) -> list[str]:
    call, lines = asked.source.call, []
    if asked.mode == "compile":
        lines = _function(asked, "run = torch.compile(run, dynamic=False)")
        call = f"run({_comma(asked.arrays)})"
    if not asked.wrt:
        return [*lines, f"got = {call}"]
    inputs = f"[{_comma(asked.wrt)}]"
    seed = ", cotangent" if asked.cotangent else ""
    lines += [f"{name}.requires_grad_()" for name in asked.wrt]
    lines += [f"value = {call}"]
    if asked.quantity == HVP_LOGITS:
        lines += [
            f"(gradient,) = torch.autograd.grad(value, {inputs}{seed}, create_graph=True)",
            f"(got,) = torch.autograd.grad(gradient, {inputs}, direction)",
        ]
    else:
        lines += [f"gradients = torch.autograd.grad(value, {inputs}{seed})"]
        lines += [
            "got = value" if asked.quantity == "value" else f"got = gradients[{asked.position}]"
        ]
    return lines


def _jax(asked: ScriptCall) -> list[str]:
    if not asked.wrt:
        if asked.mode == "eager":
            return [f"got = {asked.source.call}"]
        return [*_function(asked, f"got = jax.jit(run)({_comma(asked.arrays)})")]
    wrt = _comma(asked.wrt)
    call = f"jax.vjp(lambda {wrt}: {asked.source.call}, {wrt})"
    if asked.quantity == HVP_LOGITS:
        return _jax_second(asked, call)
    got = "value" if asked.quantity == "value" else f"gradients[{asked.position}]"
    if asked.mode == "eager":
        seed = "cotangent.astype(value.dtype)" if asked.cotangent else "jnp.ones_like(value)"
        return [f"value, pullback = {call}", f"gradients = pullback({seed})", f"got = {got}"]
    arrays = _comma(("cotangent", *asked.arrays))
    return [
        "",
        f"def run({arrays}):",
        f"    value, pullback = {call}",
        "    return value, pullback(cotangent.astype(value.dtype))",
        "",
        "",
        f"value, gradients = jax.jit(run)({arrays})",
        f"got = {got}",
    ]


def _jax_second(asked: ScriptCall, call: str) -> list[str]:
    first, arrays = asked.arrays[0], _comma(("cotangent", "direction", *asked.arrays))
    return [
        "",
        f"def run({arrays}):",
        f"    def gradient({first}):",
        f"        value, pullback = {call}",
        "        return pullback(cotangent.astype(value.dtype))[0]",
        "",
        f"    return jax.vjp(gradient, {first})[1](direction)[0]",
        "",
        "",
        f"got = jax.jit(run)({arrays})",
    ]


def _tensorflow(asked: ScriptCall) -> list[str]:
    compiled = f"tf.function(run, autograph=False, jit_compile={asked.mode == 'xla'})"
    if not asked.wrt:
        if asked.mode == "eager":
            return [f"got = {asked.source.call}"]
        return _function(asked, f"got = {compiled}({_comma(asked.arrays)})")
    wrt = asked.wrt[0] if len(asked.wrt) == 1 else f"[{_comma(asked.wrt)}]"
    seed = ", output_gradients=tf.cast(cotangent, value.dtype)" if asked.cotangent else ""
    tape = [
        "with tf.GradientTape() as tape:",
        f"    tape.watch({wrt})",
        f"    value = {asked.source.call}",
        f"gradient = tape.gradient(value, {wrt}{seed})",
    ]
    if asked.quantity == HVP_LOGITS:
        tape = [
            "with tf.GradientTape() as outer:",
            f"    outer.watch({wrt})",
            *(f"    {line}" for line in tape),
            f"gradient = outer.gradient(gradient, {wrt}, output_gradients=direction)",
        ]
    which = f"gradient[{asked.position}]" if len(asked.wrt) > 1 else "gradient"
    got = "value" if asked.quantity == "value" else f"tf.convert_to_tensor({which})"
    if asked.mode == "eager":
        return [*tape, f"got = {got}"]
    seeds = ("cotangent", "direction") if asked.quantity == HVP_LOGITS else ("cotangent",)
    arrays = _comma((*seeds, *asked.arrays))
    body = [*tape, f"return value, {got}"]
    return [
        "", f"def run({arrays}):", *(f"    {line}" for line in body), "", "",
        f"_, got = {compiled}({arrays})",
    ]  # fmt: skip


_WRITERS = {"numpy": _numpy, "torch": _torch, "jax": _jax, "tensorflow": _tensorflow}
