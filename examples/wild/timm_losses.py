"""timm: cross-entropy with smoothing, with soft targets, and of each class by itself."""

from lossdiff import implements
from timm import loss

implements("cross_entropy", targets={"index"}, ranks={2})(loss.LabelSmoothingCrossEntropy)
implements("cross_entropy", targets={"one_hot", "soft"}, ranks={2})(loss.SoftTargetCrossEntropy)
implements("binary_cross_entropy_with_logits")(loss.BinaryCrossEntropy)
