"""How each framework's scripts are written, where running them takes too long for a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lossdiff.backends import FRAMEWORKS, dialect_of
from lossdiff.backends.dialect import ScriptCall
from lossdiff.harness.repro.literals import array_text

LOSS = ScriptCall(
    "eager", "gradient", "loss(logits, target)", "loss_vjp(cotangent, logits, target)",
    ("logits", "target"), ("logits",), position=0, of_scalar=True,
)  # fmt: skip


def test_torch_is_compiled_as_its_backend_does_it() -> None:
    assert dialect_of("torch").call_lines(replace(LOSS, mode="compile")) == [
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
    asked = replace(LOSS, mode=mode, wrt=(), wanted="value")

    lines = dialect_of("tensorflow").call_lines(asked)

    compiled = f"tf.function(run, autograph=False, jit_compile={mode == 'xla'})"
    assert lines[-1] == f"got = {compiled}(logits, target)"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_second_of_two_gradients_is_taken_by_its_position(framework: str) -> None:
    both = replace(LOSS, wrt=("logits", "target"), position=1)

    assert "[1]" in "\n".join(dialect_of(framework).call_lines(both))


@pytest.mark.parametrize(
    ("framework", "mode"),
    [(name, mode) for name, found in FRAMEWORKS.items() for mode in found.mode_names],
)
@pytest.mark.parametrize("of_scalar", [False, True])
def test_a_cotangent_is_named_where_it_is_used(framework: str, mode: str, of_scalar: bool) -> None:
    asked, dialect = replace(LOSS, mode=mode, of_scalar=of_scalar), dialect_of(framework)

    lines = "\n".join(dialect.call_lines(asked))

    assert ("cotangent" in lines) is dialect.names_cotangent(asked)
    assert not dialect.names_cotangent(replace(asked, wrt=()))


@pytest.mark.parametrize(
    ("framework", "device", "expected"),
    [
        ("torch", "gpu", 'torch.tensor([[1.0, 0.5]], dtype=torch.float32, device="cuda")'),
        ("torch", "cpu", "torch.tensor([[1.0, 0.5]], dtype=torch.float32)"),
        ("jax", "cpu", "jnp.array([[1.0, 0.5]], dtype=jnp.float32)"),
        ("tensorflow", "cpu", "tf.constant([[1.0, 0.5]], dtype=tf.float32)"),
    ],
)
def test_an_array_is_written_as_the_framework_makes_it(
    framework: str, device: str, expected: str
) -> None:
    numbers = np.array([[1, 0.5]], np.float32)

    assert array_text(numbers, dialect_of(framework), device) == expected


@pytest.mark.parametrize(
    ("framework", "device", "facts", "imports", "expected"),
    [
        ("numpy", "cpu", {"XLA_FLAGS": "--a"}, ["import keras"], {}),
        ("jax", "gpu", {}, [], {"JAX_ENABLE_X64": "1"}),
        ("jax", "cpu", {}, [], {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}),
        ("tensorflow", "gpu", {"XLA_FLAGS": "--a", "TF_ENABLE_ONEDNN_OPTS": None}, [],
         {"TF_CPP_MIN_LOG_LEVEL": "2", "XLA_FLAGS": "--a"}),
        ("tensorflow", "cpu", {}, ["import keras"],
         {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "",
          "KERAS_BACKEND": "tensorflow"}),
    ],
)  # fmt: skip
def test_a_script_sets_what_is_read_at_the_import(
    framework: str, device: str, facts: dict[str, str], imports: list[str], expected: dict[str, str]
) -> None:
    assert dialect_of(framework).environment(device, facts, imports) == expected
