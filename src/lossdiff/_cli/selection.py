"""The options that select verdicts of a run, as a condition of SQL and its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

import click

from ..harness.runfile import CaseView, NamesView, RunFile, WordView
from ..harness.verdicts import VERDICTS, VerdictKind, kind_of
from ..outputs import shown
from .names import OwnType, given, unknown

C = TypeVar("C", bound=Callable[..., Any])
# The options, the columns that they select by, and how an error names them.
_COLUMNS = {
    "impl": ("implementation", "implementation"),
    "operation": ("operation", "operation"),
    "dtype": ("dtype", "dtype"),
    "family": ("family", "family"),
    "case": ("case", "case"),
}
_SIMILAR, _NEAR = 2000, 3  # ids that are looked at for similar ones, and those that are named
_LONGEST = 500  # characters of an id


class VerdictName(OwnType):
    """The type of a parameter that is a verdict, perhaps with the name after its colon."""

    name = "verdict"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = value.partition(":")[0]
        if word not in VERDICTS:
            self.fail(unknown(self.name, word, VERDICTS), param, ctx)
        return value  # which names there are, the run has to say


@dataclass(frozen=True)
class Selection:
    """A condition on verdicts.

    Attributes:
        where: the condition, in which question marks stand for the arguments.
        arguments: what the user has named; never a part of the statement.
    """

    where: str = "1"
    arguments: tuple[str, ...] = ()

    def narrowed(self, where: str, arguments: Iterable[str] = ()) -> Selection:
        """Return the selection with a further condition."""
        return replace(
            self,
            where=f"{self.where} AND ({where})",
            arguments=(*self.arguments, *arguments),
        )

    def of_kinds(self, kinds: Iterable[VerdictKind]) -> Selection:
        """Return those verdicts of the selection that are of some kinds."""
        words = [kind.word for kind in kinds]
        # What follows the word and a colon is the name of a convention or a relation.
        one = "verdict = ? OR substr(verdict, 1, length(?) + 1) = ? || ':'"
        return self.narrowed(
            " OR ".join([one] * len(words)), [it for word in words for it in [word] * 3]
        )


def selecting_options(command: C) -> C:
    """Add the options that select verdicts.

    Args:
        command: the function of a click command.
    """
    verdict = click.option(
        "--verdict", "verdicts", multiple=True, metavar="NAME", type=VerdictName(),
        help="Only this verdict, such as inaccurate or convention:mean_over_rows, listed one by "
             "one.",
    )  # fmt: skip
    command = verdict(command)
    for name, (_, what) in reversed(_COLUMNS.items()):
        listed = ", listed one by one" if name == "case" else ""
        command = click.option(
            f"--{name}", name, multiple=True, metavar="ID" if name == "case" else "NAME",
            help=f"Only this {what}{listed}.",
        )(command)  # fmt: skip
    return command


def selection(run: RunFile, named: dict[str, tuple[str, ...]]) -> Selection:
    """Return the verdicts that the options select.

    Args:
        run: the run, which has to know the names.
        named: the values of the options, by their names.

    Raises:
        UsageError: the run has no such name.
    """
    found = Selection()
    for name, (column, what) in _COLUMNS.items():
        values = named.get(name, ())
        for value in values:
            if column == "case":
                check_case(run, value)
            elif value not in (names := _names(run, column)):
                raise click.UsageError(unknown(what, value, names))
        if values:
            marks = ", ".join("?" * len(values))
            found = found.narrowed(f'"{column}" IN ({marks})', values)
    if words := named.get("verdicts", ()):
        verdicts = _verdicts(run, words)
        marks = ", ".join("?" * len(verdicts))
        found = found.narrowed(f"verdict IN ({marks})", verdicts)
    return found


def _verdicts(run: RunFile, values: Iterable[str]) -> list[str]:
    """Return the verdicts of a run that have one of some words, or a word and a name.

    Raises:
        UsageError: the run has no verdict of that name; names of a verdict are joined by a plus.
    """
    stored = {row.verdict: kind_of(row.verdict).word for row, _ in run.counts(WordView)}
    names = {
        verdict: {f"{word}:{name}" for name in verdict.partition(":")[2].split("+") if name}
        for verdict, word in stored.items()
    }
    chosen: set[str] = set()
    for value in values:
        known = [it for it, word in stored.items() if value == word or value in names[it]]
        if ":" in value and not known:
            raise click.UsageError(
                unknown("verdict of this run", value, sorted(set().union(*names.values())))
            )
        chosen.update(known)
    return sorted(chosen)


def _names(run: RunFile, column: str) -> list[str]:
    return sorted({getattr(row, column) for row, _ in run.counts(NamesView)})


def check_case(run: RunFile, case: str) -> None:
    """Refuse a case that a run has no verdict on.

    Raises:
        UsageError: the run has no verdict on it; the message names similar cases.
    """
    if any(run.counts(CaseView, '"case" = ?', (case,))):
        return
    # Cases of the same operation are more likely meant than similar ids of another one. A run may
    # have a million cases, so that only some are compared.
    same = f"{case.partition('/')[0]}/"
    for where, arguments in (('substr("case", 1, length(?)) = ?', (same, same)), ("1", ())):
        names = [row.case for row, _ in run.counts(CaseView, where, arguments, limit=_SIMILAR)]
        if names:
            break
    near = get_close_matches(case, names, n=_NEAR, cutoff=0.5) if len(case) <= _LONGEST else []
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    name = shown(run.path.name)
    raise click.UsageError(
        f"unknown case {given(case)}; {hint}`lossdiff show {name} --all` prints all of the run"
    )
