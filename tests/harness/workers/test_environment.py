"""Where frameworks keep what they have compiled."""

from __future__ import annotations

import pytest
from lossdiff.harness.workers.environment import cache_settings


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/cache", {"JAX_COMPILATION_CACHE_DIR": "/cache/jax",
                    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                    "TORCHINDUCTOR_CACHE_DIR": "/cache/torch",
                    "TORCHINDUCTOR_FX_GRAPH_CACHE": "1"}),
        ("", {"JAX_ENABLE_COMPILATION_CACHE": "false",
              "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}),
    ],
)  # fmt: skip
def test_what_is_compiled_is_kept_in_a_folder_or_not_at_all(
    folder: str, expected: dict[str, str]
) -> None:
    assert cache_settings(folder) == expected
