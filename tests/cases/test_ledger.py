"""The ledger: which findings an entry names, and which it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.cases.families import VALUES
from lossdiff.cases.ledger import FACTS, Entry, ledger, read_ledger
from lossdiff.cases.operations import DTYPES, OPERATIONS
from lossdiff.cases.suites import SUITES
from lossdiff.harness.verdicts import VERDICTS, kind_of

ROOT = Path(__file__).parents[2]
TOML = """
[[entry]]
id = "lse-minus-x"
implementations = ["optax.losses.*_integer_labels", "optax.recipes.weighted"]
verdicts = "inaccurate"
reason = "lse - x cancels at a common offset"
source = "https://github.com/google-deepmind/optax/pull/1792"
package = "optax"
since = "0.2.1"
until = "0.2.8"
[entry.when]
family = ["offset_*", "far_tail"]
dtype = "float32"
"""
NAME = "optax.losses.softmax_cross_entropy_with_integer_labels"
FOUND = {"family": "offset_1e7", "dtype": "float32", "operation": "cross_entropy"}
NOW = {"optax": "0.2.8", "jax": "0.10.2"}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """Return the entry above, read from a file."""
    path = tmp_path / "ledger.toml"
    path.write_text(TOML)
    (read,) = read_ledger(path)
    return read


def test_an_entry_names_the_finding_that_it_describes(entry: Entry) -> None:
    assert entry.names(NAME, "inaccurate", FOUND, NOW)
    assert entry.names("optax.recipes.weighted", "inaccurate", FOUND, NOW)


def test_one_word_stands_for_a_list_of_one(entry: Entry) -> None:
    assert entry.verdicts == ("inaccurate",)
    assert entry.when == {"family": ("offset_*", "far_tail"), "dtype": ("float32",)}


@pytest.mark.parametrize("name", ["optax.losses.softmax_cross_entropy", "jax.nn.softmax", ""])
def test_an_entry_names_no_other_implementation(entry: Entry, name: str) -> None:
    assert not entry.names(name, "inaccurate", FOUND, NOW)


@pytest.mark.parametrize(
    ("verdict", "is_named"),
    [("relation:shift", True), ("relation:sums", True), ("relation:one_hot", False),
     ("relation", False), ("inaccurate", False)],
)  # fmt: skip
def test_a_verdict_may_be_a_pattern(entry: Entry, verdict: str, is_named: bool) -> None:
    of_relations = replace(entry, verdicts=("relation:s*",))

    assert of_relations.names(NAME, verdict, FOUND, NOW) == is_named


@pytest.mark.parametrize("verdict", ["nonfinite", "exact", "convention:mean_over_rows"])
def test_an_entry_names_no_other_verdict(entry: Entry, verdict: str) -> None:
    assert not entry.names(NAME, verdict, FOUND, NOW)


@pytest.mark.parametrize(
    "change", [{"family": "normal"}, {"dtype": "float64"}, {"family": "OFFSET_1e7"}]
)
def test_every_condition_must_hold(entry: Entry, change: dict[str, str]) -> None:
    assert not entry.names(NAME, "inaccurate", FOUND | change, NOW)


def test_a_fact_that_is_missing_meets_no_condition(entry: Entry) -> None:
    assert not entry.names(NAME, "inaccurate", {"dtype": "float32"}, NOW)


@pytest.mark.parametrize(
    ("version", "is_named"),
    [
        ("0.2.0", False),
        ("0.2.1", True),
        ("0.2.8", True),
        ("0.2.9", False),
        ("0.2.10", False),  # numbers, not letters
        ("0.10.0", False),
        ("1.0", False),
        ("0.2.8+cpu", True),
    ],
)
def test_versions_are_inclusive_and_compared_as_numbers(
    entry: Entry, version: str, *, is_named: bool
) -> None:
    assert entry.names(NAME, "inaccurate", FOUND, {"optax": version}) == is_named


def test_without_a_version_an_entry_holds(entry: Entry) -> None:
    assert entry.names(NAME, "inaccurate", FOUND, {})


def test_open_ends_hold_for_every_version() -> None:
    entry = Entry("open", ("*",), ("accepted",), "why", "where", package="torch", since="2.4")

    assert entry.names("torch.nn.NLLLoss", "accepted", {}, {"torch": "99.0"})
    assert not entry.names("torch.nn.NLLLoss", "accepted", {}, {"torch": "2.3.1"})


def test_an_unknown_condition_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.toml"
    path.write_text(TOML.replace("dtype =", "colour ="))

    with pytest.raises(ValueError, match=r"lse-minus-x: unknown condition \['colour'\]"):
        read_ledger(path)


@pytest.mark.parametrize("key", ["reason", "source", "implementations", "verdicts"])
def test_an_entry_without_its_reason_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "ledger.toml"
    path.write_text("\n".join(line for line in TOML.split("\n") if not line.startswith(key)))

    with pytest.raises(KeyError):
        read_ledger(path)


# --- the entries that the package carries ----------------------------------------------------


def test_every_entry_has_a_reason_and_a_source() -> None:
    for entry in ledger():
        assert len(entry.reason) > 10, entry.id
        assert entry.source == "to be reported" or "://" in entry.source or "#" in entry.source, (
            entry.id
        )


def test_ids_are_given_once() -> None:
    ids = [entry.id for entry in ledger()]

    assert len(ids) == len(set(ids))


def test_entries_speak_of_what_exists() -> None:
    for entry in ledger():
        assert entry.implementations, entry.id
        for verdict in entry.verdicts:
            assert kind_of(verdict).word in VERDICTS, entry.id
        assert set(entry.when) <= set(FACTS)
        assert entry.suite in ("", *SUITES), entry.id
        for name, known in (("operation", OPERATIONS), ("family", VALUES), ("dtype", DTYPES)):
            for pattern in entry.when.get(name, ()):
                assert any(mark in pattern for mark in "*?[:") or pattern in known, entry.id


@pytest.mark.parametrize(
    "entry", [entry for entry in ledger() if entry.source.startswith("docs/")], ids=lambda it: it.id
)
def test_a_source_in_the_docs_is_there(entry: Entry) -> None:
    page, _, anchor = entry.source.partition("#")
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    headings = [line.lstrip("# ").lower().replace(" ", "-") for line in lines if line[:1] == "#"]

    assert not anchor or anchor in headings
