"""Levels of factors that are asked one by one, each with what it is there to find.

Families of values stand in `cases.families`, levels of options in `cases.suites`.
"""

from __future__ import annotations

from typing import Any

LABEL_DTYPES = {
    "int32": "what TensorFlow and JAX users have",
    "int16": "seldom taken",
    "int8": "ends at 127",
    "uint8": "has no -100, and ends at 255",
}
WRONG_LABEL_DTYPES = {
    "bool": "a multi-label target, perhaps: an error is due",
    "float32": "could hold fractions: an error is due",
}
OUT_OF_RANGE: dict[str, tuple[Any, ...]] = {
    "axis": (5, -4),
    "label_smoothing": (1.5, -0.1),
}
LAYOUTS = {
    "transposed": "the first axis is the fastest: strides grow",
    "stepped": "every second element of a wider array",
    "reversed": "a negative stride",
    "channels_last": "images with channels: axis 1 is the fastest",
    "read_only": "must not be written to",
    "unaligned": "vector loads need an address that is a multiple of the dtype",
}
CLASSES = {
    0: "an empty sum", 1: "nothing to choose", 2: "the binary case", 3: "odd",
    7: "one less than a vector register of 8 floats", 8: "a whole one", 9: "one more",
    15: "16 - 1", 16: "a register of 16 floats", 17: "16 + 1",
    31: "32 - 1", 32: "a warp", 33: "32 + 1", 63: "64 - 1", 64: "two warps", 65: "64 + 1",
    127: "128 - 1", 128: "the last label that an int8 holds is 127", 129: "128 + 1",
    255: "256 - 1", 256: "bfloat16 counts to 256", 257: "256 + 1: the label 256 is no uint8",
    1000: "ImageNet", 1023: "1024 - 1", 1024: "a block of a GPU", 1025: "1024 + 1",
    32000: "a vocabulary, near the largest int16", 50257: "the vocabulary of GPT-2",
    65535: "2^16 - 1", 65536: "beyond uint16, and beyond float16", 70000: "well beyond",
    128256: "the vocabulary of Llama 3",
}  # fmt: skip
ROWS = {
    0: "an empty batch: the mean is 0/0", 1: "a batch of one", 2: "the least that is a batch",
    63: "64 - 1", 64: "a block of rows", 65: "64 + 1", 1000: "many blocks",
    41000: "a sum of float16 losses beyond 65504", 70000: "a count of rows beyond 65504",
}  # fmt: skip
RANKS = {
    "10": "one row without a batch", "4x10": "a batch", "2x3x5": "sequences", "2x3x2x2": "images",
    "2x3x2x2x2": "volumes",
}  # fmt: skip
