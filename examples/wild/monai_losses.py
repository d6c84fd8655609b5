"""monai: its focal loss without the focus is the loss of `BCEWithLogitsLoss`, as its docs say."""

from lossdiff import implements
from monai.losses import FocalLoss


@implements("binary_cross_entropy_with_logits", ranks={2})
def focal_loss_0(input, target, reduction="mean"):
    return FocalLoss(gamma=0, reduction=reduction)(input, target)
