"""segmentation-models-pytorch: cross-entropy with smoothing, and the binary loss."""

from lossdiff import implements
from segmentation_models_pytorch import losses

names = {"label_smoothing": "smooth_factor"}
implements("cross_entropy", targets={"index"}, rename=names)(losses.SoftCrossEntropyLoss)
implements("binary_cross_entropy_with_logits")(losses.SoftBCEWithLogitsLoss)
