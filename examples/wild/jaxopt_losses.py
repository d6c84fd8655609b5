"""jaxopt: labels come first; the loss of one row is mapped over the rows."""

import jax
from jaxopt import loss
from lossdiff import implements

multiclass = jax.vmap(loss.multiclass_logistic_loss)
implements("cross_entropy", targets={"index"}, reduction="none", ranks={2})(multiclass)
labels = {"hard_labels": True, "gradient_by_target": False}
binary = implements("binary_cross_entropy_with_logits", reduction="none", **labels)
binary(loss.binary_logistic_loss)
