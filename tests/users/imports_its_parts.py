"""A file that imports what it is made of: its own are two functions."""

from __future__ import annotations

import numpy as np
from numpy import exp
from scipy.special import log_softmax, logsumexp


def nll(log_probs, labels):
    return -np.take_along_axis(log_probs, labels[:, None], 1).mean()


def log_sigmoid(x):
    return -logsumexp([np.zeros_like(x), -x], axis=0) + 0 * exp(log_softmax(x))
