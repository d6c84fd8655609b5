"""The usual mistakes, simple ones before those that a simple one explains as well.

A mistake is a named function that returns the changed steps of a computation; the name that its
decorator gives is how a finding says what it looks like. To add one, write a function in the file
of its kind, and a planted function in `tests/harness/judging/test_mistakes.py`.
"""

from __future__ import annotations

from .mistake import Mistake
from .mistakes_of_forms import OF_FORMS
from .mistakes_of_gradients import OF_GRADIENTS
from .mistakes_of_language_models import OF_LANGUAGE_MODELS
from .mistakes_of_linear_losses import OF_LINEAR_LOSSES
from .mistakes_of_options import OF_OPTIONS
from .mistakes_of_rows import OF_ROWS
from .mistakes_of_smoothing import OF_SMOOTHING
from .mistakes_of_softmax import OF_SOFTMAX

MISTAKES: tuple[Mistake, ...] = (
    *OF_OPTIONS,
    *OF_LANGUAGE_MODELS,
    *OF_SOFTMAX,
    *OF_FORMS,
    *OF_GRADIENTS,
    *OF_ROWS,
    *OF_SMOOTHING,
    *OF_LINEAR_LOSSES,
)
