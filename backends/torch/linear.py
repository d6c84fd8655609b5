"""Losses of hidden states and linear weights, which PyTorch has from 2.13 on.

The logits are held as a whole without `options`, and a chunk of rows at a time with them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

namespace = "torch.nn.functional"
kind = "native"
names = {
    "linear_cross_entropy_auto": f"{namespace}.linear_cross_entropy:auto",
    "linear_cross_entropy_accurate": f"{namespace}.linear_cross_entropy:accurate",
    "linear_cross_entropy_balanced": f"{namespace}.linear_cross_entropy:balanced",
    "linear_cross_entropy_compact": f"{namespace}.linear_cross_entropy:compact",
    "linear_cross_entropy_in_chunks": f"{namespace}.linear_cross_entropy:chunks_of_3",
    "linear_cross_entropy_module": "torch.nn.LinearCrossEntropyLoss",
}


def linear_cross_entropy(hidden, linear_weight, target, **options):
    return F.linear_cross_entropy(hidden, linear_weight, target, **options)


def linear_cross_entropy_auto(hidden, linear_weight, target, **options):
    chunks = nn.LinearCrossEntropyOptions()
    return F.linear_cross_entropy(hidden, linear_weight, target, options=chunks, **options)


def linear_cross_entropy_accurate(hidden, linear_weight, target, **options):
    chunks = nn.LinearCrossEntropyOptions(acc_policy="accurate")
    return F.linear_cross_entropy(hidden, linear_weight, target, options=chunks, **options)


def linear_cross_entropy_balanced(hidden, linear_weight, target, **options):
    chunks = nn.LinearCrossEntropyOptions(acc_policy="balanced")
    return F.linear_cross_entropy(hidden, linear_weight, target, options=chunks, **options)


def linear_cross_entropy_compact(hidden, linear_weight, target, **options):
    chunks = nn.LinearCrossEntropyOptions(acc_policy="compact")
    return F.linear_cross_entropy(hidden, linear_weight, target, options=chunks, **options)


def linear_cross_entropy_in_chunks(hidden, linear_weight, target, **options):
    chunks = nn.LinearCrossEntropyOptions(batch_chunk_size=3)
    return F.linear_cross_entropy(hidden, linear_weight, target, options=chunks, **options)


def linear_cross_entropy_module(hidden, linear_weight, target, *, linear_bias=None, **options):
    """The module has parameters of its own; it is called with others in their place."""
    classes, states = linear_weight.shape
    made = {"device": hidden.device, "dtype": hidden.dtype, **options}
    loss = nn.LinearCrossEntropyLoss(states, classes, bias=linear_bias is not None, **made)
    parameters = {"linear.weight": linear_weight}
    if linear_bias is not None:
        parameters["linear.bias"] = linear_bias
    return torch.func.functional_call(loss, parameters, (hidden, target))
