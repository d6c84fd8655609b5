"""Say what a formula has in place of what it has not: one line for each error of that kind.

Formulas are written by people who know NumPy or a framework, and who reach for `x.exp()`, `dim=1`,
`relu` or `sort`. The line says what was asked for, and what stands for it, or what there is.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from types import ModuleType

from . import functions
from .graph import Array
from .labels import Labels

_CONSTANT = "constants are arrays of numbers, such as np.eye(3)"
_SORTED = (
    "nothing sorts, but the place of each number, from 0 for the largest, is "
    "sum(where(x[:, None, :] > x[:, :, None], 1.0, 0.0), axis=2)"
)
_SHAPE = "x[:, None] adds an axis, and x[:, 0] takes one away"
_SAID = {
    **dict.fromkeys(("arange", "array", "eye", "full", "ones", "tensor", "zeros"), _CONSTANT),
    **dict.fromkeys(("ones_like", "zeros_like", "full_like"), _CONSTANT),
    **dict.fromkeys(("argsort", "median", "quantile", "sort", "topk"), _SORTED),
    **dict.fromkeys(("expand_dims", "reshape", "squeeze", "unsqueeze", "view"), _SHAPE),
    "flatten": "sum, mean and max without an axis are those of all numbers",
}
_WRITTEN = {
    "argmax": "where(x >= max(x, axis=1, keepdims=True), 1.0, 0.0)",
    "average": "mean(x, axis=1)",
    "binary_cross_entropy_with_logits": "-(t * log_sigmoid(x) + (1 - t) * log_sigmoid(-x))",
    "cat": "concatenate([x, y], axis=1)",
    "clamp": "clip(x, low, high)",
    "cross_entropy": "-take(log_softmax(x), target)",
    "cumprod": "exp(cumsum(log(x), axis=1)), of numbers above 0",
    "einsum": "x @ y, or sum(x[:, None, :] * y[None, :, :], axis=2)",
    "gather": "take(x, target)",
    "kl_div": "sum(q * (log_q - log_p), axis=1)",
    "log10": "log(x) / np.log(10)",
    "log2": "log(x) / np.log(2)",
    "logaddexp": "x + softplus(y - x)",
    "logit": "log(x) - log1p(-x)",
    "logsigmoid": "log_sigmoid(x)",
    "masked_fill": "where(mask, value, x)",
    "mm": "x @ y",
    "nll_loss": "-take(x, target)",
    "norm": "sqrt(sum(x * x, axis=1))",
    "normalize": "x / sqrt(sum(x * x, axis=1, keepdims=True))",
    "pow": "x ** 2",
    "power": "x ** 2",
    "prod": "exp(sum(log(x), axis=1)), of numbers above 0",
    "reciprocal": "1 / x",
    "relu": "maximum(x, 0.0)",
    "rsqrt": "1 / sqrt(x)",
    "sign": "where(x > 0, 1.0, -1.0)",
    "size": "x.shape[0]",
    "square": "x ** 2",
    "stack": "concatenate([x[:, None], y[:, None]], axis=1)",
    "std": "sqrt(mean((x - mean(x)) ** 2))",
    "stop_gradient": "detach(x)",
    "transpose": "x.T",
    "tril": "where(np.tri(3) > 0, x, 0.0)",
    "var": "mean((x - mean(x)) ** 2)",
}
_NEAR = 0.75  # how alike two names are, at least, of which one may be meant
_KEYWORDS = {
    "dim": "axis", "keepdim": "keepdims", "min": "low", "max": "high",
    "a_min": "low", "a_max": "high",
}  # fmt: skip
_OF_CLASSES = ("log_softmax", "logsumexp", "softmax")
_OPERATOR = re.compile(
    r"(?:unsupported operand type\(s\) for|bad operand type for unary) ([^\s:]+)"
)
_KEYWORD = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")


def said_of(error: BaseException) -> str:
    """Return what is missing in a formula, and what there is; empty for any other error.

    >>> try:
    ...     functions.relu
    ... except AttributeError as error:
    ...     said_of(error)
    'there is no relu in lossdiff.formula; it is written maximum(x, 0.0)'
    """
    if isinstance(error, AttributeError):
        return _attribute(str(error.name), error.obj)
    text = str(error)
    if not isinstance(error, TypeError):
        return ""
    if found := _KEYWORD.search(text):
        return _keyword(*found.groups())
    return _of_arrays(text) if "Array" in text else ""


def _of_arrays(text: str) -> str:
    """Return what is said of an operator or a function that is no step of a formula."""
    found = _OPERATOR.search(text)
    if found is None:
        is_called = "ufunc" in text or "not Array" in text
        called = "a function of another library is called on an array of the formula"
        return f"{called}; {_existing()}" if is_called else ""
    if found[1] == "**":
        return "** takes a number as exponent; 2 ** x is written exp(x * np.log(2))"
    operators = "+ - * / @, ** with a number, comparisons, and & | ~ of these"
    return f"there is no operator {found[1]} of arrays; there are {operators}"


def _attribute(name: str, of: object) -> str:
    if isinstance(of, Array | Labels):
        what = "target" if isinstance(of, Labels) else "array"
        if name in functions.__all__:
            return f"an {what} has no method {name}; it is written {name}(x, ...)"
        return f"an {what} of a formula has no {name}; {_instead(name)}"
    if isinstance(of, ModuleType) and of.__name__.endswith((".formula", functions.__name__)):
        return f"there is no {name} in lossdiff.formula; {_instead(name)}"
    return ""


def _instead(name: str) -> str:
    if name in _SAID:
        return _SAID[name]
    if name in _WRITTEN:
        return f"it is written {_WRITTEN[name]}"
    near = get_close_matches(name, functions.__all__, 1, _NEAR)
    return f"did you mean {near[0]}?" if near else _existing()


def _existing() -> str:
    return f"there are {' '.join(functions.__all__)}"


def _keyword(function: str, name: str) -> str:
    if function in _OF_CLASSES:
        return f"{function} is always along the last axis; x.T has the axes exchanged"
    if name not in _KEYWORDS:
        return ""
    return f"{function} takes no {name}; it is called {_KEYWORDS[name]}"
