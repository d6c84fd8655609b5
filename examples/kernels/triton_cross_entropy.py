"""A cross-entropy as a kernel of Triton, with its backward pass.

One program computes one row of up to `BLOCK` classes: a loss, or a row of the gradient.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _losses(logits, labels, losses, lses, classes, ignored, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    label = tl.load(labels + row)
    z = tl.load(logits + row * classes + at, mask=at < classes, other=float("-inf"))
    z = z.to(tl.float32)
    top = tl.max(z)
    log_sum = tl.log(tl.sum(tl.exp(z - top)))
    own = tl.sum(tl.where(at == label, z, 0.0))
    # The difference comes first: top + log_sum would round the logarithm away.
    tl.store(losses + row, tl.where(label == ignored, 0.0, (top - own) + log_sum))
    tl.store(lses + row * 2, top)
    tl.store(lses + row * 2 + 1, log_sum)


@triton.jit
def _gradients(logits, labels, lses, incoming, out, classes, ignored, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    label = tl.load(labels + row)
    z = tl.load(logits + row * classes + at, mask=at < classes, other=float("-inf"))
    top, log_sum = tl.load(lses + row * 2), tl.load(lses + row * 2 + 1)
    p = tl.exp((z.to(tl.float32) - top) - log_sum)
    g = (p - tl.where(at == label, 1.0, 0.0)) * tl.load(incoming + row)
    tl.store(out + row * classes + at, tl.where(label == ignored, 0.0, g), mask=at < classes)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels, ignore_index):
        rows, classes = logits.shape
        logits, labels = logits.contiguous(), labels.contiguous()
        losses = logits.new_empty(rows, dtype=torch.float32)
        lses = logits.new_empty(rows, 2, dtype=torch.float32)
        ctx.sizes = (classes, ignore_index, triton.next_power_of_2(max(classes, 1)))
        if rows:
            _losses[(rows,)](logits, labels, losses, lses, *ctx.sizes)
        ctx.save_for_backward(logits, labels, lses)
        return losses

    @staticmethod
    def backward(ctx, incoming):
        logits, labels, lses = ctx.saved_tensors
        out = torch.empty_like(logits)
        if len(logits):
            _gradients[(len(logits),)](logits, labels, lses, incoming.contiguous(), out, *ctx.sizes)
        return out, None, None


def cross_entropy(logits, labels, ignore_index=-100, reduction="mean"):
    """Logits of shape (N, C) in float16, bfloat16 or float32, labels of shape (N,)."""
    if logits.ndim != 2 or logits.dtype == torch.float64:
        raise NotImplementedError(f"logits of shape {tuple(logits.shape)} and {logits.dtype}")
    inside = (labels >= 0) & (labels < logits.shape[1])
    if not bool((inside | (labels == ignore_index)).all()):
        raise IndexError(f"a label is not below {logits.shape[1]}")
    losses = _CrossEntropy.apply(logits, labels, ignore_index)
    if reduction == "mean":
        return (losses.sum() / (labels != ignore_index).sum()).to(logits.dtype)
    return (losses.sum() if reduction == "sum" else losses).to(logits.dtype)
