"""The adapter of TensorFlow, and of Keras on top of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Both variables are read once, at the import. Keras must run on TensorFlow whatever backend the
# user's environment names; a log level of the user's is kept, and 2 still shows errors.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from ...errors import DeviceAbsentError
from ..base import Backend, BackwardTwice, Call, Forward, ForwardBackward, SecondOrder
from . import FRAMEWORK

if TYPE_CHECKING:
    from numpy.typing import NDArray

if keras.config.backend() != "tensorflow":
    raise ImportError(f"keras was imported before, with the backend {keras.config.backend()}")

# Each call has a tf.function of its own on purpose, which TensorFlow reports as a mistake.
tf.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())


class TensorflowBackend(Backend):
    """TensorFlow on the CPU or on a GPU; modes `eager`, `function` and `xla`."""

    description = FRAMEWORK
    modules = (
        "nn",
        "keras_losses",
        "keras_activations",
        "keras_ops",
        "recipes",
        "textbook",
    )
    packages = ("tensorflow", "keras", "ml_dtypes")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self._held = 0
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return
        gpus = tf.config.get_visible_devices("GPU")
        if not gpus:
            raise DeviceAbsentError("tensorflow sees no GPU")
        for gpu in gpus:  # or TensorFlow takes all of its memory at once
            tf.config.experimental.set_memory_growth(gpu, enable=True)

    def to_array(self, array: NDArray[Any]) -> tf.Tensor:
        with tf.device(f"/{self.device.upper()}:0"):
            return tf.constant(array, dtype=array.dtype)

    def to_numpy(self, value: tf.Tensor) -> NDArray[Any]:
        # `numpy()` of a scalar is a NumPy scalar; np.asarray of a tensor fails in bfloat16.
        return np.asarray(_one_tensor(value).numpy())

    def synchronize(self, value: Any) -> None:
        if not self.is_synchronous:
            tf.test.experimental.sync_devices()

    @property
    def is_synchronous(self) -> bool:
        return self.device == "cpu"

    def moveaxis(self, array: Any, source: int, destination: int) -> Any:
        axes = list(range(array.shape.rank))
        axes.insert(destination % len(axes), axes.pop(source))
        return tf.transpose(array, axes)

    def concatenated(self, arrays: Sequence[Any], axis: int) -> Any:
        return tf.concat(list(arrays), axis)

    def forward(self, call: Call, mode: str) -> Forward:
        return _compiled(call.direct(), mode)

    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        def run(cotangent: tf.Tensor, *arrays: tf.Tensor) -> tuple[Any, tuple[Any, ...]]:
            inputs = [arrays[position] for position in call.positions]
            # There are no variables to find; only the arrays of `wrt` are watched.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                value = _one_tensor(call(*arrays))
            # A result of a wrong dtype is judged afterwards and must not stop the call here.
            cotangent = tf.cast(cotangent, value.dtype)
            gradients = tape.gradient(value, inputs, output_gradients=cotangent)
            return value, tuple(map(_dense, gradients))

        return _compiled(run, mode)

    def backward_twice(self, call: Call) -> BackwardTwice:
        def run(
            first: tf.Tensor, again: tf.Tensor, *arrays: tf.Tensor
        ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            inputs = [arrays[position] for position in call.positions]
            with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                value = _one_tensor(call(*arrays))
            gradients = [
                tape.gradient(value, inputs, output_gradients=tf.cast(seed, value.dtype))
                for seed in (first, again)
            ]
            return tuple(map(_dense, gradients[0])), tuple(map(_dense, gradients[1]))

        return run

    def second(self, call: Call, mode: str) -> SecondOrder:
        def run(cotangent: tf.Tensor, direction: tf.Tensor, *arrays: tf.Tensor) -> Any:
            x = arrays[0]
            # Reverse over reverse: the outer tape records how the inner one computes the gradient.
            with tf.GradientTape(watch_accessed_variables=False) as outer:
                outer.watch(x)
                with tf.GradientTape(watch_accessed_variables=False) as inner:
                    inner.watch(x)
                    value = _one_tensor(call(*arrays))
                seed = tf.cast(cotangent, value.dtype)
                gradient = inner.gradient(value, x, output_gradients=seed)
            if gradient is None:
                return None
            return _dense(outer.gradient(gradient, x, output_gradients=direction))

        compiled = _compiled(run, mode)

        def refused_or_run(*arrays: tf.Tensor) -> Any:
            try:
                return compiled(*arrays)
            except LookupError as error:  # TensorFlow raises it if no gradient is registered
                raise NotImplementedError(str(error)) from error

        return refused_or_run

    def copied(self, array: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.DeepCopy(x=array)  # tf.identity returns the same buffer

    def reset_peak(self) -> None:
        if self.device == "gpu":
            tf.config.experimental.reset_memory_stats("GPU:0")
            self._held = tf.config.experimental.get_memory_info("GPU:0")["current"]

    def peak(self) -> int | None:
        if self.device != "gpu":
            return None
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"]) - self._held

    def facts(self) -> dict[str, Any]:
        gpus = tf.config.get_visible_devices("GPU") if self.device == "gpu" else []
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return {
            "gpu": details[0].get("device_name") if details else None,
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "onednn": _internal("util._pywrap_util_port", "IsMklEnabled"),
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS"),
            "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "deterministic": _internal("framework.config", "is_op_determinism_enabled"),
            "keras_backend": keras.config.backend(),
            "floatx": keras.config.floatx(),
            "epsilon": keras.config.epsilon(),
        }

    def settings(self) -> dict[str, Any]:
        return self.facts() | {
            "eager execution": tf.executing_eagerly(),
            "functions run eagerly": tf.config.functions_run_eagerly(),
            "dtype policy": keras.config.dtype_policy().name,
            "image data format": keras.config.image_data_format(),
        }


def _compiled(function: Forward, mode: str) -> Forward:
    if mode == "eager":
        return function
    # Autograph would rewrite the source of the function that is to be judged.
    compiled: Forward = tf.function(function, autograph=False, jit_compile=mode == "xla")
    return compiled


def _one_tensor(value: Any) -> tf.Tensor:
    if not isinstance(value, tf.Tensor):
        raise TypeError(f"returned {type(value).__name__}, not tf.Tensor")
    return value


def _dense(gradient: Any) -> tf.Tensor | None:
    """Return a gradient as a dense tensor, since that of tf.gather is slices; None stays None."""
    return None if gradient is None else tf.convert_to_tensor(gradient)


def _internal(module: str, function: str) -> Any:
    """Call a function that TensorFlow does not export; return None if a version has moved it."""
    try:
        return getattr(import_module(f"tensorflow.python.{module}"), function)()
    except (ImportError, AttributeError):
        return None


BACKEND = TensorflowBackend
