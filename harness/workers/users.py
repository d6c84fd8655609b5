"""The users' functions of one worker process: found, learnt or known already, and called."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ...backends.base import Backend
from ...errors import UserFileError
from ..own import Candidate, Learnt, Left, found_in, learnt_of, restored

_SHOWN = 3  # reasons in a message


@dataclass(frozen=True)
class UsersFunctions:
    """What the files and modules of a user offer.

    Attributes:
        places: the files and modules.
        candidates: the functions that may be taken, by name.
        left: what is not taken, and why.
        learnt: what is known of the functions that are taken.
    """

    places: tuple[str, ...]
    candidates: dict[str, Candidate]
    left: tuple[Left, ...]
    learnt: list[Learnt] = field(default_factory=list)

    @classmethod
    def of(cls, places: tuple[str, ...], framework: str) -> UsersFunctions:
        """Import the files and modules of a user.

        Raises:
            UserFileError: one of them cannot be used, or has no function of an operation.
            DeclarationError: what is said of a function names something that does not exist.
        """
        candidates: dict[str, Candidate] = {}
        left: list[Left] = []
        for place in places:
            found, others = found_in(place, framework)
            if not found:
                line = (
                    f"{place} holds no function named after an operation{_reasons(others)}; "
                    f"say what one is: {place}:FUNCTION=OPERATION"
                )
                raise UserFileError(line)
            for candidate in found:
                if candidate.name in candidates:
                    raise UserFileError(f"{place}: {_second(candidate.name)}")
                candidates[candidate.name] = candidate
            left += others
        return cls(places, candidates, tuple(left))

    def learn(self, backend: Backend) -> UsersFunctions:
        """Ask each function its plain questions.

        Raises:
            UserFileError: none of them is taken.
        """
        found = [learnt_of(it, backend) for it in self.candidates.values()]
        left = (*self.left, *(it for it in found if isinstance(it, Left)))
        learnt = [it for it in found if not isinstance(it, Left)]
        if self.candidates and not learnt:
            places = ", ".join(self.places)
            raise UserFileError(f"{places}: no function is taken{_reasons(list(left))}")
        return replace(self, left=left, learnt=learnt)

    def know(self, learnt: tuple[Learnt, ...]) -> UsersFunctions:
        """Take what was learnt of the functions in another process.

        Raises:
            UserFileError: one of them is not there any more.
        """
        for known in learnt:
            if known.claim.name not in self.candidates:
                raise UserFileError(f"there is no {known.claim.name} any more")
        return replace(self, learnt=list(learnt))

    def learn_of(self, learnt: tuple[Learnt, ...], backend: Backend) -> None:
        """Take what was learnt since, and make the functions anew.

        Raises:
            UserFileError: one of them is not there, or a name is that of another function.
        """
        if self.learnt != list(learnt):
            self.learnt[:] = self.know(learnt).learnt
            backend.extra.clear()
            backend.forget_implementations()
            self.add_to(backend)

    def add_to(self, backend: Backend) -> None:
        """Add the functions to the implementations of a backend.

        Raises:
            UserFileError: an implementation of the framework has the name of one.
        """
        for known in self.learnt:
            candidate = self.candidates[known.claim.name]
            backend.extra.append(restored(candidate, known, backend))
        try:
            _ = backend.implementations
        except ValueError as error:
            raise UserFileError(f"{', '.join(self.places)}: {error}") from error


def _second(name: str) -> str:
    return f"a second function is named {name}; `namespace`, set in a file, renames its functions"


def _reasons(left: list[Left]) -> str:
    """Return why nothing is taken."""
    shown = [f"{it.name}: {it.reason}" for it in left[:_SHOWN]]
    more = [f"{len(left) - _SHOWN} more"] if len(left) > _SHOWN else []
    return f" ({'; '.join([*shown, *more])})" if shown else ""
