"""TensorFlow and Keras: the adapter, and one file of implementations for each namespace."""

from __future__ import annotations

from ..framework import EAGER, Framework, Library, Mode

FRAMEWORK = Framework(
    "tensorflow",
    __name__,
    imports=("tensorflow", "keras"),
    extra="tensorflow",
    modes=(
        Mode(EAGER),
        Mode("function"),
        Mode("xla", compiler="xla", dtypes=("float16", "float32")),
    ),
    weight=3,
    libraries=(
        Library(
            "TensorFlow",
            names=("tf.*",),
            main=("tf.nn.s*", "tf.nn.*", "tf.math.*", "tf.recipes.*"),
        ),
        Library(
            "Keras",
            names=("keras.*",),
            main=("keras.losses.*Crossentropy*", "keras.ops.*", "keras.recipes.*"),
        ),
    ),
    benchmarked=(
        "tf.nn.softmax",
        "tf.nn.log_softmax",
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        "tf.nn.sigmoid_cross_entropy_with_logits",
        "keras.losses.SparseCategoricalCrossentropy",
        "tf.recipes.linear_cross_entropy",
    ),
    quiet={"TF_CPP_MIN_LOG_LEVEL": "3"},
    thread_variables=("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
