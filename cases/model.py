"""Define the case: one operation, its options and its inputs, named by a readable id.

`Case.parse(case.id) == case`, and `case.inputs()` is a function of the id alone, except for cases
that carry explicit arrays. A finding can therefore be reproduced from its id on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import cast

import numpy as np

from .drawing import drawn
from .dtypes import Array
from .existence import exists
from .families import VALUES
from .layouts import locked
from .operations import NUMBERS, OPERATIONS, Operation, Options, TargetKind
from .products import PRODUCTS
from .stream import Floats, Stream

_MOST_JUDGED = 2**20
_SHOWN = 200  # characters of a wrong id in a message
_SCALAR = "scalar"  # stands for a shape without axes
_NO_OPTIONS = Options()
# Not 1, so that a backward pass that ignores what comes in is wrong; few bits, as in `_eighths`.
SCALAR_COTANGENT = 0.625
SHRUNK, SHRUNK_PROBED = "shrunk", "grid_shrunk"
# Families of cases that carry explicit arrays, and whether such cases are probed. The flag is part
# of the name, because a case that is rebuilt from its id has to be checked as before.
_EXPLICIT = {"file": False, "onnx": False, SHRUNK: False, SHRUNK_PROBED: True}
_FEW = 1024  # different options; all cases of a suite have fewer


@dataclass(frozen=True)
class Inputs:
    """The arrays of a case.

    Attributes:
        values: the first argument (logits, log_probs or probs), shape (N, C, d1, …, dk), or any
            shape for functions of one array; in the case's dtype, or whole numbers. Hidden states
            have shape (N, H).
        target: class indices of shape (N, d1, …, dk), int64, or probabilities in the shape and
            dtype of `values`; the case may name another dtype.
        weight: shape (C,), in the case's dtype, if its family names no other.
        pos_weight: like `weight`.
        linear_weight: shape (C, H), by which hidden states become logits.
        linear_bias: shape (C,), which is added to them.
    """

    values: Array
    target: Array | None = None
    weight: Array | None = None
    pos_weight: Array | None = None
    linear_weight: Array | None = None
    linear_bias: Array | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the first argument has a dtype of integers, and therefore no gradient."""
        return self.values.dtype.kind in "iu"


@dataclass(frozen=True)
class Signature:
    """The part of a case that a compiler specialises on; cases with the same one run together."""

    operation: str
    options: Options
    target_kind: TargetKind | None
    target_dtype: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        target = f"{self.target_kind or '-'}{self.target_dtype}"
        parts = [self.operation, target, self.dtype, shape_text(self.shape)]
        return "/".join([*parts, _options_text(self.options)])


@dataclass(frozen=True)
class Case:
    """One operation with its options and the description of its inputs.

    Attributes:
        operation: name of an operation.
        family: name of a family of values, or `worked:NAME`, `digits:STAGE`, `file:DIGEST`,
            `onnx:NAME`, `shrunk:DIGEST`, `grid_shrunk:DIGEST`.
        shape: shape of the first argument; of a linear loss that of its logits, (N, C).
        dtype: name of a format.
        target_kind: kind of the target, None for operations without a target.
        target_family: how the target is drawn.
        options: keywords of the operation.
        seed: number of the draw; other seeds give other inputs of the same case.
        given: the explicit arrays of a case from a file or from ONNX, or of a shrunk case.
        target_dtype: dtype of the target, if it is neither int64 nor that of the first argument.
        layout: memory layout of its arrays, a name of `cases.layouts.LAYOUTS`.
        hidden: the size H of the hidden states of a linear loss; 0 for other operations.

    >>> Case("softmax", "normal", (4, 10), "float32").id
    'softmax/float32/4x10/normal/-/0'
    """

    operation: str
    family: str
    shape: tuple[int, ...]
    dtype: str
    target_kind: TargetKind | None = None
    target_family: str = ""
    options: Options = _NO_OPTIONS
    seed: int = 0
    given: Inputs | None = field(default=None, compare=False, repr=False)
    target_dtype: str = ""
    layout: str = ""
    hidden: int = 0

    @cached_property
    def id(self) -> str:
        """The readable name, which contains everything that the inputs depend on."""
        target = f"/{self.target}" if self.target_kind else ""
        options = _options_text(self.options)
        sizes = shape_text(self.sizes)
        shape = f"{sizes}~{self.layout}" if self.layout else sizes
        return f"{self.operation}{target}/{self.dtype}/{shape}/{self.family}/{options}/{self.seed}"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes in the id: the shape, or N, H and C of a linear loss.

        >>> text = "linear_cross_entropy/index.random/float32/4x8x10/normal/-/0"
        >>> Case.parse(text).sizes, Case.parse(text).shape
        ((4, 8, 10), (4, 10))
        """
        is_linear = self.hidden and len(self.shape) > 1
        return (self.shape[0], self.hidden, self.shape[1]) if is_linear else self.shape

    @property
    def target(self) -> str:
        """The kind, family and dtype of the target as written in the id; empty without a target."""
        dtype = f":{self.target_dtype}" if self.target_dtype else ""
        return f"{self.target_kind}.{self.target_family}{dtype}" if self.target_kind else ""

    @property
    def signature(self) -> Signature:
        """The part of the case that a compiler specialises on."""
        kind, dtype = self.target_kind, self.target_dtype
        return Signature(self.operation, self.options, kind, dtype, self.dtype, self.sizes)

    @property
    def contract(self) -> Operation:
        """The operation, with the targets and options that it takes."""
        return OPERATIONS[self.operation]

    @property
    def needs(self) -> frozenset[str]:
        """The options that an implementation must have to be tested with the case."""
        ignores = self.target_family in ("some_ignored", "all_ignored")
        return frozenset(self.options.given()) | ({"ignore_index"} if ignores else set())

    @property
    def is_probed(self) -> bool:
        """Whether relations and the Hessian-vector product are checked too."""
        kind = self.family.partition(":")[0]
        # Relations and second derivatives are derived without the options of language models, and
        # the smoothing of binary losses, those of linear losses for a result that is one number.
        options, contract = self.options, self.contract
        is_smoothed = bool(options.label_smoothing) and not contract.reads_classes
        if options.is_of_language_models or is_smoothed:
            return False
        if contract.is_linear:
            is_reduced = options.reduction != "none"
            return is_reduced and kind in PRODUCTS and PRODUCTS[kind].probed
        return _EXPLICIT[kind] if kind in _EXPLICIT else kind in VALUES and VALUES[kind].probed

    @property
    def is_swept(self) -> bool:
        """Whether it belongs to a sweep, see `cases.sweeps`."""
        return "@" in self.family

    @property
    def is_given(self) -> bool:
        """Whether it carries explicit arrays, which cannot be drawn from the id."""
        return self.family.partition(":")[0] in _EXPLICIT

    @property
    def mixes_dtypes(self) -> bool:
        """Whether the id names another dtype for the target or for weights."""
        return bool(self.target_dtype) or any(
            ":" in (weight or "") for weight in (self.options.weight, self.options.pos_weight)
        )

    @property
    def class_axis(self) -> int:
        """The axis of the classes in the first argument, not negative."""
        if self.contract.is_loss:
            return min(1, len(self.shape) - 1)
        return self.options.axis % max(len(self.shape), 1)

    @property
    def has_no_batch(self) -> bool:
        """Whether it is one row of a loss over classes, (C,), which few functions take."""
        contract = self.contract
        return contract.is_loss and contract.reads_classes and len(self.shape) == 1

    @property
    def lacks_classes(self) -> bool:
        """Whether a result depends on a row without any class.

        A softmax of no class has no number, and there is nothing to be wrong.
        """
        contract = self.contract
        if not contract.reads_classes or self.shape[self.class_axis]:
            return False
        return self.operation not in ("softmax", "log_softmax")

    @property
    def defined_shape(self) -> tuple[int, ...]:
        """The shape of the result of an operation that a user has defined."""
        contract = self.contract
        is_reduced = "reduction" in contract.options and self.options.reduction != "none"
        if contract.result == "scalar" or is_reduced:
            return ()
        return self.shape[:-1] if contract.result == "rows" else self.shape

    @property
    def judged_rows(self) -> int:
        """How many rows are judged: all, or those of the first million elements.

        This limits the time of the oracle. A reduced loss is judged over all rows, whatever
        their number.
        """
        size = int(np.prod(self.shape))
        contract = self.contract
        is_whole = contract.is_defined or contract.is_linear or not contract.reads_classes
        if size <= _MOST_JUDGED or is_whole or self.class_axis == 0:
            return self.shape[0] if self.shape else 1
        return max(1, _MOST_JUDGED * self.shape[0] // size)

    def inputs(self) -> Inputs:
        """Return the arrays: the same bits on every machine.

        Returns:
            The explicit arrays of a case that carries them, otherwise arrays drawn from the id;
            see `Inputs` for shapes and dtypes.

        Raises:
            ValueError: the case was parsed from the id of a case with explicit arrays.

        >>> Case.parse("softmax/float32/1x3/zeros/-/0").inputs().values
        array([[0., 0., 0.]], dtype=float32)
        """
        if self.given is not None:
            return self.given
        if self.is_given:
            raise ValueError(
                f"{self.id} came from a file or from ONNX; its arrays are in the run file"
            )
        return _inputs(self)

    def cotangent(self, shape: tuple[int, ...]) -> Floats:
        """Return the fixed cotangent for a result, with which its gradient is computed.

        Eighths have so few bits that products with them are exact in every format, and none is 0,
        so that no element of the result goes without effect on the gradient.

        Args:
            shape: shape of the result.

        Returns:
            float64 multiples of 1/8 in [-1, 1], none of them 0; 5/8 for a scalar result. The
            cotangent of fewer rows is the beginning of that of more rows.
        """
        return _eighths("cotangent", shape) if shape else np.asarray(SCALAR_COTANGENT)

    def direction(self) -> Floats:
        """Return the fixed direction of the Hessian-vector product.

        Returns:
            float64 multiples of 1/8 in [-1, 1] like a cotangent, in the shape of the values.
        """
        return _eighths("direction", self.shape)

    @classmethod
    def parse(cls, text: str) -> Case:
        """Return the case that an id names.

        Raises:
            ValueError: the text is not the id of a case.

        >>> Case.parse("softmax/float32/4x10/normal/-/0").dtype
        'float32'
        """
        try:
            operation, *rest = text.split("/")
            kind, target_family, target_dtype = None, "", ""
            if OPERATIONS[operation].is_loss:
                kind, target = rest.pop(0).split(".")
                target_family, _, target_dtype = target.partition(":")
            dtype, shape, family, options, seed = rest
            shape, _, layout = shape.partition("~")
            sizes = () if shape == _SCALAR else shape.split("x")
            axes = [int(n) for n in sizes]  # a generator would leave longer tuples
            hidden = axes.pop(1) if OPERATIONS[operation].is_linear else 0
            case = cls(
                operation,
                family,
                tuple(axes),
                dtype,
                cast("TargetKind | None", kind),
                target_family,
                _parse_options(options),
                int(seed),
                target_dtype=target_dtype,
                layout=layout,
                hidden=hidden,
            )
            # Only one spelling is an id: `04x10` or `axis=-1`, the default, would name a case
            # twice.
            if case.id == text and exists(case, explicit=case.is_given):
                return case
        except (KeyError, ValueError, IndexError):
            pass
        raise ValueError(f"{text[:_SHOWN]!r} is not the id of a case")

    def with_target(self, kind: TargetKind, family: str) -> Case:
        """Return the same case with another kind of target."""
        return replace(self, target_kind=kind, target_family=family)


def _eighths(name: str, shape: tuple[int, ...]) -> Floats:
    # From -8 … 7 the upper half moves up by one, so that 0 is left out.
    eighths = Stream(name).integers(16, *shape) - 8
    return np.where(eighths >= 0, eighths + 1, eighths) / 8.0


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as ids and tables have it.

    >>> shape_text((4, 10)), shape_text(())
    ('4x10', 'scalar')
    """
    return "x".join(map(str, shape)) or _SCALAR


@lru_cache(maxsize=_FEW)
def _options_text(options: Options) -> str:
    given = options.given()
    return ",".join(f"{name}={value}" for name, value in given.items()) or "-"


@lru_cache(maxsize=_FEW)
def _parse_options(text: str) -> Options:
    if text == "-":
        return Options()
    given: dict[str, int | float | str] = dict(
        cast("tuple[str, str]", tuple(item.split("=", 1))) for item in text.split(",")
    )
    for name, kind in NUMBERS.items():
        if name in given:
            given[name] = kind(given[name])
    return Options.of(given)


def forget_inputs() -> None:
    """Drop the arrays that were drawn, to free memory; they are drawn again when needed."""
    _inputs.cache_clear()


# Each implementation and mode gets the same case, one after another.
@lru_cache(maxsize=1024)
def _inputs(case: Case) -> Inputs:
    # The key of the stream has neither dtype nor operation, so that results for the same numbers
    # can be compared between operations and dtypes.
    stream = Stream(f"{case.family}/{shape_text(case.sizes)}/{case.seed}")
    # They are kept for further calls, for which no caller may change them.
    arrays = {name: locked(it) for name, it in drawn(case, stream).items() if it is not None}
    return Inputs(**arrays)
