"""Expected findings stand in the project that has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import lossdiff
from lossdiff._api.expected import expected_of
from lossdiff.errors import ExpectedError

from .test_checking import NARROW, softmax, softmax_unshifted

ENTRY = """
[[entry]]
id = "unshifted"
implementations = "*.softmax_unshifted"
verdicts = ["nonfinite", "relation:*"]
reason = "overflows, and is not used"
"""


def _check(path: Path) -> lossdiff.Result:
    return lossdiff.check_implementation(
        softmax_unshifted, "softmax", framework="numpy", expected=path, **NARROW
    )


@pytest.fixture
def expected(tmp_path: Path) -> Path:
    path = tmp_path / "lossdiff.toml"
    path.write_text(ENTRY, encoding="utf-8")
    return path


def test_a_finding_that_is_expected_does_not_count(expected: Path) -> None:
    result = _check(expected)

    assert result.ok
    assert {row.ledger for row in result.known} == {"unshifted"}


def test_an_entry_that_matches_nothing_fails(expected: Path) -> None:
    expected.write_text(ENTRY.replace('"nonfinite", "relation:*"', '"crashed"'), encoding="utf-8")

    result = _check(expected)
    assert result.stale == ("unshifted",)
    assert not result.ok
    assert "expected, and not found: unshifted" in str(result)


def test_an_entry_about_another_function_or_suite_is_left_alone(expected: Path) -> None:
    found = lossdiff.check_implementation(
        softmax, "softmax", framework="numpy", expected=expected, **NARROW
    )
    assert found.ok
    full = f'{ENTRY}suite = "full"\n'.replace('"nonfinite", "relation:*"', '"crashed"')
    expected.write_text(full, encoding="utf-8")
    assert _check(expected).stale == ()


def test_the_file_is_looked_for_from_the_folder_upwards(expected: Path) -> None:
    below = expected.parent / "package" / "tests"
    below.mkdir(parents=True)
    (below / "pyproject.toml").write_text("[project]\nname = 'mine'\n", encoding="utf-8")

    assert expected_of(None, below).path == expected


def test_a_project_file_may_hold_them(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(ENTRY.replace("[[entry]]", "[[tool.lossdiff.entry]]"), encoding="utf-8")

    assert [entry.id for entry in expected_of(None, tmp_path).entries] == ["unshifted"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[entry]", "cannot read"),
        ("[[entry]]\nid = 'a'\n", "entry 'a' lacks implementations"),
        (ENTRY + "when = {dtyp = 'float16'}\n", "unknown condition ['dtyp']"),
        (ENTRY + "verdict = 'nonfinite'\n", "unknown key 'verdict'; allowed: id, "),
        (ENTRY + ENTRY, "two entries have the id 'unshifted'"),
        (
            ENTRY.replace('["nonfinite", "relation:*"]', "3"),
            "`verdicts` is 3; it must be a text or a list of",
        ),
        ("[entry]\nid = 'a'\n", "`entry` is no list of tables; write [[entry]]"),
        ("entries = 3\n", "unknown key 'entries'; allowed: conventions, entry"),
        ("a = " + "[" * 5000, "its values are nested too deeply"),
        ("#" * 2**24 + "#", "it has more than 16 MiB"),
    ],
)
def test_a_file_that_says_something_else_is_refused_with_one_line(
    expected: Path, text: str, line: str
) -> None:
    expected.write_text(text, encoding="utf-8")

    with pytest.raises(ExpectedError) as caught:
        expected_of(expected)
    assert line in str(caught.value)
    assert "lossdiff.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["tool = 3\n", "tool = []\n", "[tool]\nother = 1\n"])
def test_a_project_file_that_says_nothing_about_it_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    assert expected_of(None, tmp_path).path is None


def test_what_may_have_no_end_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "lossdiff.toml"
    os.mkfifo(pipe)

    for place in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(ExpectedError, match=f"cannot read {place}: it is no file"):
            expected_of(place)
