"""Where frameworks keep what they have compiled."""

from __future__ import annotations

from pathlib import Path


def cache_settings(folder: str) -> dict[str, str]:
    """Return the environment in which JAX and PyTorch keep all that they compile, or nothing.

    Args:
        folder: where it is kept, also what is small and quick; nothing is, where it is empty.
    """
    if not folder:
        return {"JAX_ENABLE_COMPILATION_CACHE": "false", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(Path(folder) / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "TORCHINDUCTOR_CACHE_DIR": str(Path(folder) / "torch"),
        "TORCHINDUCTOR_FX_GRAPH_CACHE": "1",
    }
