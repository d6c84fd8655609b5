"""Make cases/data/digits.npz: real logits of a small classifier, at three stages of training.

The network of the first tutorial (here 64 -> 32 -> 10, ReLU, plain SGD) is trained on the
1,797 handwritten digits that scikit-learn ships. Run: `python scripts/make_digits.py`
(needs NumPy and scikit-learn; nothing needs scikit-learn at run time).
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

EPOCHS = {"start": 0, "middle": 5, "end": 200}
BATCH, RATE = 32, 0.1


def forward(x: np.ndarray, layers: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    w1, b1, w2, b2 = layers
    hidden = np.maximum(x @ w1 + b1, 0.0)
    return hidden, hidden @ w2 + b2


def step(x: np.ndarray, labels: np.ndarray, layers: list[np.ndarray]) -> None:
    hidden, logits = forward(x, layers)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = (shifted / shifted.sum(axis=1, keepdims=True) - np.eye(10)[labels]) / len(labels)
    back = (error @ layers[2].T) * (hidden > 0)
    gradients = (x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0))
    for parameter, gradient in zip(layers, gradients, strict=True):
        parameter -= RATE * gradient  # noqa: PLW2901 -- in place


def main() -> None:
    rng = np.random.default_rng(0)
    x, labels = load_digits(return_X_y=True)
    x = x / 16.0
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
