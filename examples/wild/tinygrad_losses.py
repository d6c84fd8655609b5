"""tinygrad, whose arrays are its own: they are made from NumPy's."""

from lossdiff import implements
from tinygrad import Tensor


@implements("cross_entropy", targets={"index"}, ranks={2}, dtypes={"float32"})
def cross_entropy(logits, target, *, ignore_index=-1, label_smoothing=0.0, reduction="mean"):
    x, y = Tensor(logits, requires_grad=True), Tensor(target)
    loss = x.sparse_categorical_crossentropy(y, ignore_index, label_smoothing, reduction)
    return loss.numpy(), loss.sum().gradient(x)[0].numpy()
