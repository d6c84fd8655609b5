"""PyTorch's softmax as it is, ten percent slower, and with one bit wrong."""

import time

import torch
import torch.nn.functional as F


def softmax_steady(logits, *, axis=-1):
    return F.softmax(logits, dim=axis)


def softmax_slowed(logits, *, axis=-1):
    begin = time.perf_counter()
    result = F.softmax(logits, dim=axis)
    # Waiting in a loop takes a tenth of the measured time exactly; `sleep` is too coarse for that.
    end = time.perf_counter()
    while time.perf_counter() < end + 0.1 * (end - begin):
        pass
    return result


def softmax_flipped(logits, *, axis=-1):
    result = F.softmax(logits, dim=axis).clone()
    result.detach().view(torch.int32)[0, 0] ^= 1
    return result
