"""Declare torchvision's operators before it is imported.

The torchvision of PyPI belongs to a PyTorch with CUDA. Beside a PyTorch for the CPU alone its
library does not load, and its import ends with an error about operators, which no loss needs.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

_OPERATORS = ("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor",
              "qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")  # fmt: skip
_KEPT: list[Any] = []  # operators end with the object that declares them


class _Torchvision:
    """Finds torchvision, and declares its operators first."""

    @staticmethod
    def find_spec(name: str, path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if name != "torchvision" or _KEPT:
            return None
        import torch

        _KEPT.append(torch.library.Library("torchvision", "DEF"))
        for operator in _OPERATORS:
            _KEPT[0].define(operator)
        return PathFinder.find_spec(name, path)


sys.meta_path.insert(0, _Torchvision)  # type: ignore[arg-type]
