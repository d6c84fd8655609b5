"""catalyst: cross-entropy with one-hot targets."""

from catalyst.contrib.losses import NaiveCrossEntropyLoss
from lossdiff import implements

claim = implements("cross_entropy", targets={"soft"}, ranks={2}, reduction="mean")
claim(NaiveCrossEntropyLoss)
