"""The losses of Liger's kernels for Triton, where `liger-kernel` is installed and can run."""

from __future__ import annotations

from liger_kernel.transformers.functional import (
    liger_cross_entropy,
    liger_fused_linear_cross_entropy,
)

from ..claim import Limits

namespace = "liger_kernel.transformers.functional"
kind = "native"
names = {
    "cross_entropy": f"{namespace}.liger_cross_entropy",
    "linear_cross_entropy": f"{namespace}.liger_fused_linear_cross_entropy",
}
_DTYPES = frozenset({"float16", "bfloat16", "float32"})
limits = {
    # Its kernels compute in float32, whatever the dtype of the logits is.
    "cross_entropy": Limits(dtypes=_DTYPES, ranks=frozenset({2})),
    "linear_cross_entropy": Limits(dtypes=_DTYPES),
}


def cross_entropy(
    logits,
    target,
    *,
    weight=None,
    ignore_index=-100,
    label_smoothing=0.0,
    logit_softcap=None,
    z_loss=0.0,
    reduction="mean",
):
    return liger_cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
        lse_square_scale=z_loss,
        softcap=logit_softcap,
    )


def linear_cross_entropy(
    hidden,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    ignore_index=-100,
    label_smoothing=0.0,
    logit_softcap=None,
    z_loss=0.0,
    reduction="mean",
):
    return liger_fused_linear_cross_entropy(
        hidden,
        linear_weight,
        target,
        bias=linear_bias,
        ce_weight=weight,
        ignore_index=ignore_index,
        lse_square_scale=z_loss,
        label_smoothing=label_smoothing,
        reduction=reduction,
        softcap=logit_softcap,
    )
