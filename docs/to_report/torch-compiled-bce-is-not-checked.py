# torch.nn.BCELoss, value: accepted
#
# question  binary_cross_entropy, multi_label target, float32, shape 1x5
# asked     the value; mode compile, device cpu
# verdict   accepted: a number where the contract demands an error
# note      a probability outside [0, 1]
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy/multi_label.binary/float32/4x10/probs_outside/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch
from torch import nn


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    return nn.BCELoss(weight=_by_class(weight, probs), reduction=reduction)(probs, target)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1."""
    if weight is None:
        return None
    return weight.reshape(-1, *[1] * (like.ndim - 2))


probs = torch.tensor([[1.25, 0.13537386, 0.1273105, 0.097348295, 0.18482897]], dtype=torch.float32)
target = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]], dtype=torch.float32)

try:
    def run(probs, target):
        return binary_cross_entropy(probs, target)


    run = torch.compile(run, dynamic=False)
    got = run(probs, target)
except Exception as error:
    print(f"raised {error!r}")
    print("not reproduced: an error was due, and came")
    sys.exit(1)
print("an error is due: a probability outside [0, 1]")
print("got", got)
print("reproduced: accepted")
sys.exit(0)
