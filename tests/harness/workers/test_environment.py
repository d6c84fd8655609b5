"""What is set before a framework is imported."""

from __future__ import annotations

import pytest
from lossdiff.harness.workers import environment_for, quiet
from lossdiff.harness.workers.environment import processor


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/cache", {"JAX_COMPILATION_CACHE_DIR": "/cache/jax",
                    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                    "TORCHINDUCTOR_CACHE_DIR": "/cache/torch",
                    "TORCHINDUCTOR_FX_GRAPH_CACHE": "1"}),
        ("", {"JAX_ENABLE_COMPILATION_CACHE": "false",
              "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}),
        (None, {}),
    ],
)  # fmt: skip
def test_what_is_compiled_is_kept_in_a_folder_or_not_at_all(
    folder: str | None, expected: dict[str, str]
) -> None:
    assert environment_for(cache=folder) == expected


def test_every_framework_is_limited_to_as_many_threads() -> None:
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC")

    assert environment_for(3) == dict.fromkeys(names, "3")


def test_the_logs_of_frameworks_are_kept_out() -> None:
    assert quiet() == {"TF_CPP_MIN_LOG_LEVEL": "3"}


def test_the_processor_has_a_name_of_one_line() -> None:
    name = processor()

    assert name
    assert name == name.strip()
    assert "\n" not in name
