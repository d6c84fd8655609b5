"""The lines that ask a framework, where asking takes too long for a test."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lossdiff.harness.repro.calls import ScriptCall, call_lines
from lossdiff.harness.workers.source_text import Source

LOSS = ScriptCall(
    "torch", "eager", "gradient_logits", Source((), (), "loss(logits, target)"),
    ("logits", "target"), ("logits",), of_scalar=True,
)  # fmt: skip


def test_torch_is_compiled_as_its_backend_does_it() -> None:
    assert call_lines(replace(LOSS, mode="compile")) == [
        "",
        "def run(logits, target):",
        "    return loss(logits, target)",
        "",
        "",
        "run = torch.compile(run, dynamic=False)",
        "logits.requires_grad_()",
        "value = run(logits, target)",
        "gradients = torch.autograd.grad(value, [logits], cotangent)",
        "got = gradients[0]",
    ]


@pytest.mark.parametrize("mode", ["function", "xla"])
def test_tensorflow_is_compiled_as_its_backend_does_it(mode: str) -> None:
    lines = call_lines(replace(LOSS, framework="tensorflow", mode=mode, wrt=(), quantity="value"))

    compiled = f"tf.function(run, autograph=False, jit_compile={mode == 'xla'})"
    assert lines[-1] == f"got = {compiled}(logits, target)"


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax", "tensorflow"])
def test_a_gradient_by_the_target_is_the_second_of_two(framework: str) -> None:
    source = replace(LOSS.source, gradient="loss_vjp(cotangent, logits, target)")
    both = replace(
        LOSS, framework=framework, source=source, quantity="gradient_target",
        wrt=("logits", "target"),
    )  # fmt: skip

    assert "[1]" in "\n".join(call_lines(both))


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax", "tensorflow"])
@pytest.mark.parametrize("mode", ["eager", "jit"])
@pytest.mark.parametrize("of_scalar", [False, True])
def test_a_cotangent_is_named_where_it_is_used(framework: str, mode: str, of_scalar: bool) -> None:
    source = replace(LOSS.source, gradient="loss_vjp(cotangent, logits, target)")
    asked = replace(LOSS, framework=framework, mode=mode, of_scalar=of_scalar, source=source)

    assert ("cotangent" in "\n".join(call_lines(asked))) is asked.cotangent
    assert not replace(asked, wrt=()).cotangent
