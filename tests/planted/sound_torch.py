"""Sound losses as users write them in PyTorch: by autograd, and as functions of autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _log_softmax(x: Tensor, axis: int) -> Tensor:
    """Autograd of a composition; the shift has no gradient."""
    shifted = x - x.amax(axis, keepdim=True).detach()
    return shifted - shifted.exp().sum(axis, keepdim=True).log()


def log_softmax_of_detached_maximum(logits: Tensor, *, axis: int = -1) -> Tensor:
    return _log_softmax(_wide(logits), axis).to(logits.dtype)


def softmax_of_logsumexp(logits: Tensor, *, axis: int = -1) -> Tensor:
    return _log_softmax(_wide(logits), axis).exp().to(logits.dtype)


def _rows(
    logits: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x of shape (rows, C), labels in [0, C), which rows count, and the class weights."""
    x = _wide(logits).movedim(1, -1).reshape(-1, logits.shape[1])
    labels = target.reshape(-1).long()
    counts = labels != ignore_index
    if (counts & ((labels < 0) | (labels >= x.shape[1]))).any():
        raise IndexError(f"a label is outside [0, {x.shape[1]})")
    by_class = torch.ones_like(x[0]) if weight is None else _wide(weight)
    return x, torch.where(counts, labels, 0), counts, by_class


def _smoothed(x: Tensor, labels: Tensor, w: Tensor, smoothing: float) -> Tensor:
    q = torch.zeros_like(x).scatter_(1, labels[:, None], 1 - smoothing)
    return w * (q + smoothing / x.shape[1])


class _Fused(torch.autograd.Function):
    """Value in one pass, p − onehot in the other; Σ w ℓ of rows, smoothed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, labels: Tensor, w: Tensor, smoothing: float) -> Tensor:
        m = x.amax(1, keepdim=True)
        e = (x - m).exp()
        s = e.sum(1, keepdim=True)
        l = s.log() - (x - m)
        ctx.save_for_backward(e / s, labels, w)
        ctx.smoothing = smoothing
        row = torch.arange(len(x))
        picked = w[row, labels] * l[row, labels] * (1 - smoothing)
        if smoothing:
            spread = smoothing / x.shape[1] * torch.where(w == 0, 0, w * l).sum(1)
            picked = torch.where(w[row, labels] == 0, 0, picked) + spread
        return torch.where(_smoothed(x, labels, w, smoothing).sum(1) == 0, 0, picked)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None, None]:
        p, labels, w = ctx.saved_tensors
        q = _smoothed(p, labels, w, ctx.smoothing)
        gradient = (p * q.sum(1, keepdim=True) - q) * cotangent[:, None]
        return torch.where(q.sum(1, keepdim=True) == 0, 0, gradient), None, None, None


def cross_entropy_fused(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """A function of autograd with its own backward pass."""
    x, labels, counts, by_class = _rows(logits, target, weight, ignore_index)
    w = by_class * counts[:, None].to(by_class.dtype)
    losses = _Fused.apply(x, labels, w, label_smoothing)
    if reduction == "none":
        return losses.reshape(target.shape).to(logits.dtype)
    picked = torch.where(counts, by_class[labels], 0)
    loss = losses.sum() / picked.sum() if reduction == "mean" else losses.sum()
    return loss.to(logits.dtype)


class _Chunked(torch.autograd.Function):
    """Two rows at a time; the gradient of the sum is made on the way forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, labels: Tensor, w: Tensor) -> Tensor:
        gradient, total = torch.empty_like(x), x.new_zeros(())
        for begin in range(0, len(x), 2):
            part = slice(begin, begin + 2)
            log_p, scale = torch.log_softmax(x[part], 1), w[part, None]
            picked = log_p.gather(1, labels[part, None])
            total = total - torch.where(scale == 0, 0, scale * picked).sum()
            q = torch.zeros_like(log_p).scatter_(1, labels[part, None], 1)
            gradient[part] = torch.where(scale == 0, 0, (log_p.exp() - q) * scale)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * cotangent, None, None


def cross_entropy_chunked(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor:
    """Chunks of rows, as a fused linear and cross-entropy layer has it; `mean` only."""
    x, labels, counts, by_class = _rows(logits, target, weight, ignore_index)
    w = torch.where(counts, by_class[labels], 0)
    return (_Chunked.apply(x, labels, w) / w.sum()).to(logits.dtype)


def nll_loss_indexed(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Only the rows that count are picked, by a mask."""
    x, labels, counts, by_class = _rows(log_probs, target, weight, ignore_index)
    w = torch.where(counts, by_class[labels], 0)
    used = w != 0
    picked = x[used, labels[used]] * w[used]
    if reduction == "none":
        losses = torch.zeros_like(w).masked_scatter(used, -picked)
        return losses.reshape(target.shape).to(log_probs.dtype)
    loss = -picked.sum()
    return (loss / w.sum() if reduction == "mean" else loss).to(log_probs.dtype)


def _softplus(x: Tensor) -> Tensor:
    """Return log(1 + e^x) by two `where`: neither branch sees what would overflow in it."""
    positive = x > 0
    above, below = torch.where(positive, x, 0), torch.where(positive, 0, x)
    return torch.where(positive, above + torch.log1p(torch.exp(-above)), below.exp().log1p())


def log_sigmoid_double_where(logits: Tensor) -> Tensor:
    return -_softplus(-_wide(logits)).to(logits.dtype)


def _times(weight: Tensor | None, losses: Tensor) -> Tensor:
    """Return losses times weights of shape (C,), where 0 times infinity is 0."""
    if weight is None:
        return losses
    w = _wide(weight).reshape(-1, *[1] * (losses.ndim - 2))
    return torch.where(w == 0, 0, w * losses)


def binary_cross_entropy_with_logits_double_where(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None,
    pos_weight: Tensor | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Targets are taken for constants: no gradient flows to them."""
    if ((target < 0) | (target > 1)).any():
        raise ValueError("a probability is outside [0, 1]")
    x, z = _wide(logits), _wide(target).detach()
    hit = _times(pos_weight, z)
    losses = torch.where(hit == 0, 0, hit * _softplus(-x))
    losses = _times(weight, losses + torch.where(z == 1, 0, (1 - z) * _softplus(x)))
    if reduction == "none":
        return losses.to(logits.dtype)
    return (losses.mean() if reduction == "mean" else losses.sum()).to(logits.dtype)
