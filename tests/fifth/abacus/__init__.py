"""A framework that is none of ours: NumPy's arrays under another name, and a mode of its own."""

from __future__ import annotations

from lossdiff.backends import EAGER, Framework, Mode

FRAMEWORK = Framework(
    "abacus",
    __name__,
    imports=("abacus",),
    modes=(Mode(EAGER), Mode("beads", compiler="carpenter")),
    benchmarked=("abacus.softmax",),
    has_handwritten_gradients=True,
    quiet={"ABACUS_LOG": "none"},
    thread_variables=("ABACUS_HANDS",),
    uncached={"ABACUS_MEMORY": "off"},
)
