"""Define the operations under test: the arguments of each, and its options.

The contract (the exact value of each operation) is computed by `harness.oracle.solve`;
`docs/contract.md` states it in words and formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

TargetKind = Literal["index", "one_hot", "soft", "multi_label", "real"]
Reduction = Literal["none", "mean", "sum"]
Domain = Literal["logits", "log_probs", "probs", "hidden"]
Result = Literal["", "scalar", "rows", "elements"]

OF_NUMBERS: tuple[TargetKind, ...] = ("soft", "multi_label", "real")  # targets with a gradient
DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Options:
    """The keywords of an operation; a field at its default is not passed to implementations.

    Attributes:
        axis: the axis of the classes, for operations that return arrays.
        weight: name of a family of class weights (`cases.weights.WEIGHTS`), shape (C,), with
            `:DTYPE` where their dtype is not that of the logits.
        pos_weight: likewise, for the weights of the positive term.
        ignore_index: rows with this number as index target are left out of the loss.
        label_smoothing: ε in [0, 1]; the target becomes (1 − ε)·q + ε/C, that of a binary loss
            (1 − ε)·z + ε/2.
        reduction: `none`, `mean` or `sum`.
        logit_scale: s > 0; the logits are multiplied by it (1 / temperature).
        logit_softcap: c > 0; a logit z, scaled before, becomes c·tanh(z/c).
        z_loss: λ ≥ 0; each row that counts costs λ·lse(z)² more.
        denominator: D > 0, which a mean divides the sum by in place of its own count.
        linear_bias: name of a family of biases (`cases.products.BIASES`), shape (C,).
        parameters: pairs of a parameter of an operation that a user has defined, and its value,
            where it is not the first one of the definition; ordered by name.
    """

    axis: int = -1
    weight: str | None = None
    pos_weight: str | None = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    reduction: Reduction = "mean"
    logit_scale: float = 1.0
    logit_softcap: float | None = None
    z_loss: float = 0.0
    denominator: float | None = None
    linear_bias: str | None = None
    parameters: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Return options by their names; what is none of the contract is a parameter.

        >>> Options.of({"reduction": "sum", "gamma": 2}).given()
        {'reduction': 'sum', 'gamma': 2.0}
        """
        own = {name: value for name, value in given.items() if name in DEFAULTS}
        others = sorted((name, float(it)) for name, it in given.items() if name not in DEFAULTS)
        return cls(**own, parameters=tuple(others))

    def replaced(self, **given: Any) -> Options:
        """Return options of which some have other values."""
        return Options.of({**{it: getattr(self, it) for it in DEFAULTS}, **dict(self.parameters),
                           **given})  # fmt: skip

    @property
    def is_of_language_models(self) -> bool:
        """Whether an option is given that losses of language models alone have."""
        return any(getattr(self, name) != default for name, default in _OF_LANGUAGE_MODELS)

    def conflict(self, kind: TargetKind | None) -> str:
        """Return why the options do not go together, or not with a kind of target; or empty.

        >>> Options(denominator=7.0, reduction="sum").conflict("index")
        "denominator divides a mean; reduction is 'sum'"
        """
        given = [name for name, default in _OF_LANGUAGE_MODELS if getattr(self, name) != default]
        if given and kind != "index":
            return f"{given[0]} goes with an index target; target_kind is {kind!r}"
        if self.denominator is not None and self.reduction != "mean":
            return f"denominator divides a mean; reduction is {self.reduction!r}"
        return ""

    def given(self) -> dict[str, int | float | str]:
        """Return the options that differ from their default.

        >>> Options(axis=0, label_smoothing=0.1).given()
        {'axis': 0, 'label_smoothing': 0.1}
        """
        found = {
            name: value for name, default in _DEFAULTS if (value := getattr(self, name)) != default
        }
        return {**found, **dict(self.parameters)}


# Every id of a case is made from the options, and `fields` would be too slow for that.
_PARAMETERS = "parameters"
_DEFAULTS = tuple((it.name, it.default) for it in fields(Options) if it.name != _PARAMETERS)
DEFAULTS: dict[str, Any] = dict(_DEFAULTS)  # of the options of the contract, by name
# Options of losses of logits with index targets, which language models are trained with.
LANGUAGE_MODELS = ("logit_scale", "logit_softcap", "z_loss", "denominator")
NUMBERS: dict[str, type[int | float]] = {
    "axis": int, "ignore_index": int, "label_smoothing": float,
    **dict.fromkeys(LANGUAGE_MODELS, float),
}  # fmt: skip
_OF_LANGUAGE_MODELS = tuple(item for item in _DEFAULTS if item[0] in LANGUAGE_MODELS)


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: its name on the command line and in case ids.
        domain: whether its first argument holds logits, log-probabilities, probabilities, or
            hidden states, whose products with linear weights are logits.
        targets: the kinds of target that it takes; empty for a function of one array.
        options: the names of its options.
        reads_classes: whether a result depends on a whole row of classes, not on one element.
        result: of an operation that a user has defined, what its result has a number for before
            it is reduced.
        is_defined: whether a user has defined it by its formula (`harness.formula`).
        parameters: of such an operation, pairs of a parameter and the values that are asked, the
            default first; their names are among the options.
    """

    name: str
    domain: Domain = "logits"
    targets: tuple[TargetKind, ...] = ()
    options: tuple[str, ...] = ()
    reads_classes: bool = True
    result: Result = ""
    is_defined: bool = False
    parameters: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def default(self, option: str) -> Any:
        """Return the default of an option or parameter."""
        values = dict(self.parameters).get(option)
        return DEFAULTS[option] if values is None else values[0]

    def level(self, options: Options, option: str) -> Any:
        """Return the value that an option or parameter has.

        >>> OPERATIONS["cross_entropy"].level(Options(), "reduction")
        'mean'
        """
        if option in DEFAULTS:
            return getattr(options, option)
        return dict(options.parameters).get(option, self.default(option))

    def chosen(self, given: Mapping[str, Any]) -> Options:
        """Return options by their names; a parameter at its default is left out."""
        own = dict(self.parameters)
        return Options.of({name: it for name, it in given.items()
                           if name not in own or it != own[name][0]})  # fmt: skip

    @property
    def is_loss(self) -> bool:
        """Whether the operation takes a target."""
        return bool(self.targets)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that it is always given, in order, by the names of `cases.model.Inputs`."""
        linear = ("linear_weight",) if self.is_linear else ()
        return ("values", *linear, *(("target",) if self.is_loss else ()))

    @property
    def is_linear(self) -> bool:
        """Whether its logits are products of hidden states and linear weights."""
        return self.domain == "hidden"


_LOSS = ("weight", "ignore_index", "label_smoothing", "reduction")
_CLASSES: tuple[TargetKind, ...] = ("index", "one_hot", "soft")

BUILT_IN: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("softmax", options=("axis",)),
        Operation("log_softmax", options=("axis",)),
        Operation("logsumexp", options=("axis",)),
        Operation("nll_loss", "log_probs", ("index",), ("weight", "ignore_index", "reduction")),
        Operation("cross_entropy", "logits", _CLASSES, (*_LOSS, *LANGUAGE_MODELS)),
        Operation("sigmoid", reads_classes=False),
        Operation("log_sigmoid", reads_classes=False),
        Operation(
            "binary_cross_entropy",
            "probs",
            ("multi_label",),
            ("weight", "label_smoothing", "reduction"),
            False,
        ),
        Operation(
            "binary_cross_entropy_with_logits",
            "logits",
            ("multi_label",),
            ("weight", "pos_weight", "label_smoothing", "reduction"),
            False,
        ),
        Operation(
            "linear_cross_entropy",
            "hidden",
            ("index",),
            (*_LOSS, *LANGUAGE_MODELS, "linear_bias"),
        ),
        # These two are intermediate steps of the tutorials; they are tested like the nine above.
        Operation("cross_entropy_probs", "probs", _CLASSES, ("weight", "reduction")),
        Operation("exp", reads_classes=False),
    )
}
# Those that covering arrays are made of; linear losses are listed one by one (`cases.linear`).
COVERED = tuple(operation for operation in BUILT_IN.values() if not operation.is_linear)
# Those that are built in, and those that users define in this process: the suites hold the former.
OPERATIONS: dict[str, Operation] = dict(BUILT_IN)
