"""PaddlePaddle, whose arrays are its own: they are made from NumPy's."""

import paddle
from lossdiff import implements
from paddle.nn import functional as F


@implements("cross_entropy", targets={"index"}, ranks={2}, dtypes={"float32", "float64"})
def cross_entropy(logits, target, *, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
    x, y = paddle.to_tensor(logits, stop_gradient=False), paddle.to_tensor(target)
    loss = F.cross_entropy(x, y, None, ignore_index, reduction, label_smoothing=label_smoothing)
    return loss.numpy(), paddle.grad(loss.sum(), x)[0].numpy()
