# torch.nn.CrossEntropyLoss, value: accepted
#
# question  cross_entropy, index target, float32, shape 1x1
# options   label_smoothing=-0.1
# asked     the value; mode eager, device cpu
# verdict   accepted: a number where the contract demands an error
# note      a label_smoothing outside [0, 1]
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case cross_entropy/index.random/float32/4x10/normal/label_smoothing=-0.1/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch
from torch import nn


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"
):
    loss = nn.CrossEntropyLoss(
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss(logits, target)


logits = torch.tensor([[0.0]], dtype=torch.float32)
target = torch.tensor([0], dtype=torch.int64)

try:
    got = cross_entropy(logits, target, label_smoothing=-0.1)
except Exception as error:
    print(f"raised {error!r}")
    print("not reproduced: an error was due, and came")
    sys.exit(1)
print("an error is due: a label_smoothing outside [0, 1]")
print("got", got)
print("reproduced: accepted")
sys.exit(0)
