"""scikit-learn: the loss of its linear and boosting models, with its gradient."""

from lossdiff import implements
from sklearn._loss.loss import HalfMultinomialLoss


@implements("cross_entropy", targets={"index"}, reduction="none", ranks={2})
def multinomial(logits, target):
    loss = HalfMultinomialLoss(n_classes=logits.shape[1])
    return loss.loss_gradient(target.astype(logits.dtype), logits)
