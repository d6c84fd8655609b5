"""What JAX has compiled is kept, until so much of it has accumulated that compiling slows down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.backends import load_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    import jax

pytestmark = pytest.mark.framework("jax")


def test_programs_are_forgotten_once_many_have_accumulated(monkeypatch: pytest.MonkeyPatch) -> None:
    import jax
    from lossdiff.backends.jax import adapter

    backend = load_backend("jax")
    cleared: list[int] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(1))
    monkeypatch.setattr(adapter, "_MOST_PROGRAMS", 2)
    adapter._programs().clear()

    for place in range(3):
        backend.forget()
        assert not cleared
        jax.jit(_added(place))(np.ones(3)).block_until_ready()
    backend.forget()
    backend.forget()

    assert len(cleared) == 1


def _added(number: int) -> Callable[[jax.Array], jax.Array]:
    """Return a function that JAX has not compiled yet."""
    return lambda x: x + number
