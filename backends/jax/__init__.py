"""JAX and Optax: the adapter, and one file of implementations for each namespace."""

from __future__ import annotations

from ..framework import EAGER, INTERPRET, Framework, Library, Mode

FRAMEWORK = Framework(
    "jax",
    __name__,
    imports=("jax", "optax"),
    extra="jax",
    modes=(Mode(EAGER), Mode("jit", compiler="xla"), Mode(INTERPRET, most=20_000)),
    quickest="jit",
    widens=True,
    workers=2,
    weight=2,
    libraries=(
        Library("JAX", names=("jax.*",), main=("jax.nn.*", "jax.numpy.exp", "jax.recipes.*")),
        Library(
            "Optax",
            names=("optax.*",),
            main=("optax.losses.softmax_cross_entropy", "optax.losses.*"),
        ),
    ),
    benchmarked=(
        "jax.nn.*",
        "optax.losses.softmax_cross_entropy_with_integer_labels",
        "optax.losses.sigmoid_binary_cross_entropy",
        "jax.recipes.linear_cross_entropy",
    ),
    thread_variables=("NPROC",),
    cached={  # also what is small and quick to compile
        "JAX_COMPILATION_CACHE_DIR": "{folder}",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    },
    uncached={"JAX_ENABLE_COMPILATION_CACHE": "false"},
)
