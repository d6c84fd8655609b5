"""The arrays of one call, which are copies, and what a function has written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...backends.base import Backend, Call
from ...cases.layouts import laid_out
from ...cases.model import Inputs
from ...cases.operations import OPERATIONS
from ..answers import Argument
from ..oracle import Floats

_COTANGENT: Argument = "cotangent"
_NAMES: dict[str, Argument] = {
    "target": "target",
    "weight": "weight",
    "pos_weight": "pos_weight",
    "linear_weight": "linear_weight",
    "linear_bias": "linear_bias",
}


@dataclass(frozen=True)
class Given:
    """The arrays of one call.

    Attributes:
        backend: the framework.
        names: the names of the arguments in the contract, such as `logits`; a cotangent is first.
        originals: what the arrays are made of.
        arrays: the framework's arrays, which no other call shares.
    """

    backend: Backend
    names: tuple[Argument, ...]
    originals: tuple[NDArray[Any], ...]
    arrays: tuple[Any, ...]

    @classmethod
    def of(
        cls,
        backend: Backend,
        call: Call,
        inputs: Inputs,
        cotangents: tuple[Floats, ...] = (),
        layout: str = "",
    ) -> Given:
        """Return the arrays that a call takes, behind those by which it is differentiated.

        Args:
            backend: the framework.
            call: the implementation with its options.
            inputs: the arrays, which stay as they are.
            cotangents: as many as the call takes; each gets the dtype of the first argument.
            layout: the layout of the inputs in memory, a name of `cases.layouts`.

        Raises:
            ValueError: the framework has no arrays of this layout.
        """
        domain = OPERATIONS[call.implementation.operation].domain
        called: dict[str, Argument] = {**_NAMES, "values": domain}
        names = [called[name] for name in call.arguments]
        seeds = [seed.astype(inputs.values.dtype) for seed in cotangents]
        given = [getattr(inputs, name) for name in call.arguments]
        arrays = [backend.to_array(seed.copy()) for seed in seeds]
        arrays += [backend.to_array(laid_out(array, layout)) for array in given]
        return cls(backend, (*(_COTANGENT for _ in seeds), *names), (*seeds, *given), tuple(arrays))

    def mutated(self) -> tuple[Argument, ...]:
        """Return the names of the arguments whose arrays are not what they were, bit for bit."""
        if self.backend.is_immutable:
            return ()
        parts = zip(self.names, self.originals, self.arrays, strict=True)
        return tuple(
            dict.fromkeys(name for name, given, array in parts if self._is_changed(given, array))
        )

    def _is_changed(self, given: NDArray[Any], array: Any) -> bool:
        try:
            now = self.backend.to_numpy(array)
        except Exception:  # noqa: BLE001 -- its memory may be gone
            return True
        if now.dtype != given.dtype or now.shape != given.shape:
            return True
        # As bits: a NaN is equal to itself, and -0.0 is not 0.0.
        return now.tobytes() != given.tobytes()
