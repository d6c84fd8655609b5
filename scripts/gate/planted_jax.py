"""JAX's softmax as it is, ten percent slower (eager only), and with one bit wrong."""

import time

import jax
import jax.numpy as jnp


def softmax_steady(logits, *, axis=-1):
    return jax.nn.softmax(logits, axis=axis)


def softmax_slowed(logits, *, axis=-1):
    begin = time.perf_counter()
    result = jax.nn.softmax(logits, axis=axis)
    # While JAX compiles, there is no time to measure.
    if isinstance(result, jax.core.Tracer):
        return result
    result.block_until_ready()
    # Waiting in a loop takes a tenth of the measured time exactly; `sleep` is too coarse for that.
    end = time.perf_counter()
    while time.perf_counter() < end + 0.1 * (end - begin):
        pass
    return result


def softmax_flipped(logits, *, axis=-1):
    result = jax.nn.softmax(logits, axis=axis)
    return result.at[0, 0].set(jnp.nextafter(result[0, 0], jnp.ones((), result.dtype)))
