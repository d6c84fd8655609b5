"""objax: one number for each row, and for each element of the binary loss."""

from lossdiff import implements
from objax.functional import loss

rows = {"reduction": "none", "layout": "classes_last"}
implements("cross_entropy", targets={"index"}, **rows)(loss.cross_entropy_logits_sparse)
implements("cross_entropy", targets={"one_hot", "soft"}, **rows)(loss.cross_entropy_logits)
implements("binary_cross_entropy_with_logits", reduction="none")(loss.sigmoid_cross_entropy_logits)
