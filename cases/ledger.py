"""Read the ledger of known findings, each with its reason, source and versions.

The entries are in `data/ledger.toml`. A finding that an entry names is `known`; one that no
entry names fails `check`. An entry that matches nothing in a complete run fails it as well, so
that the ledger keeps no entry for a fault that has been repaired.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from .checked import checked
from .operations import DEFAULTS


@dataclass(frozen=True)
class Entry:
    """A known finding.

    Attributes:
        id: the unique name of the entry.
        implementations: patterns of names (`torch.nn.*Loss`).
        verdicts: the verdicts that it explains, or patterns of them (`relation:*`).
        reason: the cause of the finding.
        title: the finding in a few plain words; the names of libraries may follow it.
        source: where it is discussed or documented; `to be reported` where nowhere yet.
        when: conditions: for some of `FACTS` the patterns of values for which the entry holds.
            Options are written as in a case id, `None` for an option that is not set.
        package: the package whose version decides; empty for any version.
        since, until: first and last version, inclusive; empty for no limit.
        suite: the suite of which a complete run without a match makes the entry an error; empty
            for none.
    """

    id: str
    implementations: tuple[str, ...]
    verdicts: tuple[str, ...]
    reason: str
    source: str
    when: dict[str, tuple[str, ...]] = field(default_factory=dict)
    package: str = ""
    since: str = ""
    until: str = ""
    suite: str = "full"
    title: str = ""

    def names(
        self, implementation: str, verdict: str, facts: dict[str, str], versions: dict[str, str]
    ) -> bool:
        """Return whether the entry names a finding.

        Args:
            implementation: name of the implementation.
            verdict: the verdict of the finding.
            facts: the values of `FACTS` for the finding, which `when` is compared with.
            versions: version by name of each package in the worker process.
        """
        return (
            any(fnmatchcase(verdict, pattern) for pattern in self.verdicts)
            and any(fnmatchcase(implementation, pattern) for pattern in self.implementations)
            and all(
                any(fnmatchcase(facts.get(name, ""), pattern) for pattern in patterns)
                for name, patterns in self.when.items()
            )
            and self._is_current(versions.get(self.package, ""))
        )

    def _is_current(self, version: str) -> bool:
        # An unknown version matches: a finding must not become new because of it.
        if not self.package or not version:
            return True
        number = _version(version)
        until = _version(self.until)
        # `until = "2.13"` includes 2.13.1
        return number >= _version(self.since) and (not until or number[: len(until)] <= until)


OF_A_CASE = (
    "operation",
    "family",
    "target",
    "dtype",
    "mode",
    "quantity",
    "shape",
    "layout",
    "note",
)
FACTS = (*OF_A_CASE, *DEFAULTS)


def _version(text: str) -> tuple[int, ...]:
    # The local part after "+" names a build (2.13.0+cpu); a part such as "0rc1" is left out.
    return tuple(int(part) for part in text.split("+", maxsplit=1)[0].split(".") if part.isdigit())


def _tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _check_texts(name: str, what: str, value: Any) -> None:
    """Refuse what is neither a text nor a list of texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: `{what}` is {value!r}; it must be a text or a list of texts")


def _entry(item: dict[str, Any]) -> Entry:
    # An unknown condition would never match, and a misspelt one would go unnoticed.
    unknown = item.get("when", {}).keys() - set(FACTS)
    if unknown:
        raise ValueError(f"ledger entry {item['id']}: unknown condition {sorted(unknown)}")
    entry = Entry(
        id=item["id"],
        implementations=_tuple(item["implementations"]),
        verdicts=_tuple(item["verdicts"]),
        reason=item["reason"],
        source=item["source"],
        when={name: _tuple(value) for name, value in item.get("when", {}).items()},
        package=item.get("package", ""),
        since=item.get("since", ""),
        until=item.get("until", ""),
        suite=item.get("suite", "full"),
        title=item.get("title", ""),
    )
    return checked(vars(entry), Entry)


def read_ledger(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a ledger file.

    Raises:
        ValueError: the file is not TOML, or an entry has an unknown condition.
        SchemaError: a value of an entry has another type.
        KeyError: an entry lacks a required key.
        OSError: the file cannot be read.
    """
    return tuple(map(_entry, tomllib.loads(path.read_text(encoding="utf-8"))["entry"]))


_KEYS = ("conventions", "entry")
_REQUIRED = ("id", "implementations", "verdicts", "reason")


def entries_of(table: Any) -> tuple[Entry, ...]:
    """Return the entries of a table that a project keeps for its own functions.

    Args:
        table: a parsed file, whose key `entry` holds a list of tables. An entry needs no `source`,
            and its suite is `quick` unless it names another. The key `conventions` is left.

    Raises:
        ValueError: a key is missing or unknown, or an id comes twice.
        SchemaError: a value has another type.

    >>> entries_of({"entry": [{"id": "known"}]})
    Traceback (most recent call last):
    ValueError: entry 'known' lacks implementations
    """
    unknown = table.keys() - set(_KEYS) if isinstance(table, dict) else {"what is no table"}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}; allowed: {', '.join(_KEYS)}")
    items = table.get("entry", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("`entry` is no list of tables; write [[entry]]")
    for item in items:
        _check_keys(item)
    found = tuple(_entry({"source": "", "suite": "quick", **item}) for item in items)
    ids = [entry.id for entry in found]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise ValueError(f"two entries have the id {min(twice)!r}")
    return found


def _check_keys(item: dict[str, Any]) -> None:
    name = f"entry {item.get('id', '')!r}" if "id" in item else "an entry"
    missing = [key for key in _REQUIRED if key not in item]
    if missing:
        raise ValueError(f"{name} lacks {missing[0]}")
    allowed = [field.name for field in fields(Entry)]
    if unknown := sorted(item.keys() - set(allowed)):
        raise ValueError(f"{name}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")
    when = item.get("when", {})
    if not isinstance(when, dict):
        raise ValueError(f"{name}: `when` is no table of conditions")  # noqa: TRY004
    several = {key: item[key] for key in ("implementations", "verdicts")} | when
    for key, value in several.items():
        _check_texts(name, key, value)


@cache
def ledger() -> tuple[Entry, ...]:
    """Return the entries of the package's own ledger."""
    file = resources.files("lossdiff.cases.data").joinpath("ledger.toml")
    # UTF-8 is named, because the default depends on the locale.
    return tuple(map(_entry, tomllib.loads(file.read_text(encoding="utf-8")).get("entry", [])))
