"""transformers: the loss that its models share."""

from lossdiff import implements
from transformers.loss.loss_utils import fixed_cross_entropy

implements("cross_entropy", targets={"index"}, reduction="mean")(fixed_cross_entropy)
