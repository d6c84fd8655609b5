"""Make cases/data/digits.npz: real logits of a small classifier at three stages of training.

The network of the first tutorial (here 64 -> 32 -> 10, ReLU, plain SGD) is trained on the
1,797 handwritten digits of scikit-learn. Run it with `python scripts/make_digits.py`; it needs
NumPy and scikit-learn, and lossdiff itself needs no scikit-learn.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

EPOCHS = {"start": 0, "middle": 5, "end": 200}
BATCH, RATE = 32, 0.1


def forward(x: np.ndarray, layers: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden units, shape (N, 32), and the logits, shape (N, 10)."""
    w1, b1, w2, b2 = layers
    hidden = np.maximum(x @ w1 + b1, 0.0)
    return hidden, hidden @ w2 + b2


def step(x: np.ndarray, labels: np.ndarray, layers: list[np.ndarray]) -> None:
    """Take one step of gradient descent on the mean cross-entropy of a batch, in place."""
    hidden, logits = forward(x, layers)
    # The derivative of the loss with respect to the logits is softmax minus one-hot target, over N.
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = (shifted / shifted.sum(axis=1, keepdims=True) - np.eye(10)[labels]) / len(labels)
    back = (error @ layers[2].T) * (hidden > 0)
    gradients = (x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0))
    for parameter, gradient in zip(layers, gradients, strict=True):
        parameter -= RATE * gradient  # noqa: PLW2901 -- in place


def main() -> None:
    """Train the network, and write the logits of all digits at each stage."""
    rng = np.random.default_rng(0)
    x, labels = load_digits(return_X_y=True)
    x = x / 16.0  # grey levels are whole numbers from 0 to 16
    # Standard deviations of 1 over the root of the number of inputs keep the logits of order 1.
    layers = [
        rng.normal(size=(64, 32)) / 8.0,
        np.zeros(32),
        rng.normal(size=(32, 10)) / np.sqrt(32.0),
        np.zeros(10),
    ]
    logits = {}
    for epoch in range(max(EPOCHS.values()) + 1):
        for stage, at in EPOCHS.items():
            if epoch == at:
                logits[stage] = forward(x, layers)[1].astype(np.float32)
                accuracy = np.mean(logits[stage].argmax(axis=1) == labels)
                print(f"{stage}: epoch {epoch}, accuracy {accuracy:.4f}")
        order = rng.permutation(len(x))
        for batch in np.split(order, range(BATCH, len(x), BATCH)):
            step(x[batch], labels[batch], layers)
    path = Path(__file__).parents[1] / "cases" / "data" / "digits.npz"
    np.savez_compressed(path, labels=labels.astype(np.int64), **logits)
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
