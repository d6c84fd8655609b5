"""The mode `interpret` of JAX; the page on kernels runs a kernel of Pallas in it."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.backends import load_backend

pytestmark = pytest.mark.framework("jax")


def test_the_mode_is_named_where_pallas_has_no_device_and_a_kernel_runs_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import jax
    from jax.experimental import pallas

    def doubled(x: jax.Array) -> jax.Array:
        def kernel(given: jax.Array, out: jax.Array) -> None:
            out[...] = given[...] * 2

        return pallas.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    backend = load_backend("jax")
    with pytest.raises(ValueError, match="interpret") as caught:
        doubled(jax.numpy.ones(3))
    assert "--mode interpret" in backend.hint(caught.value)

    monkeypatch.setattr(pallas, "pallas_call", pallas.pallas_call)  # taken back at the end
    interpreting = load_backend("jax", "cpu", "interpret")
    assert not interpreting.implementations
    assert np.asarray(doubled(jax.numpy.ones(3))).tolist() == [2, 2, 2]
