"""NumPy and SciPy: the adapter, and one file of implementations for each namespace."""

from __future__ import annotations

from ..framework import Framework, Library

FRAMEWORK = Framework(
    "numpy",
    __name__,
    imports=("numpy", "scipy"),
    libraries=(
        Library(
            "NumPy",
            names=("numpy.*", "scipy.*"),
            main=("numpy.exp", "scipy.special.*", "numpy.recipes.*"),
            parts={"SciPy": "scipy.*"},
        ),
    ),
    benchmarked=(
        "scipy.special.softmax",
        "scipy.special.log_softmax",
        "numpy.recipes.cross_entropy",
        "numpy.recipes.binary_cross_entropy_with_logits",
        "numpy.recipes.linear_cross_entropy",
    ),
    dtypes=("float16", "float32", "float64"),
    has_handwritten_gradients=True,
)
