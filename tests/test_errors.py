"""The errors: one tree, in one file, and each of them can leave a process."""

from __future__ import annotations

import ast
import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import lossdiff
from lossdiff import errors
from lossdiff._cli.status import Status, status_of
from lossdiff.errors import LossdiffError, ReproError

ROOT = Path(__file__).parents[1]
FOLDERS = ("src/lossdiff", "cases", "backends", "harness", "reports")


def _below(top: type[LossdiffError]) -> Iterator[type[LossdiffError]]:
    yield top
    for child in top.__subclasses__():
        yield from _below(child)


TREE = list(_below(LossdiffError))


def _raisable(base: ast.expr) -> bool:
    """Whether a base class is an exception, by what such classes are called."""
    return ast.unparse(base).endswith(("Error", "Exception", "Warning", "KeyboardInterrupt"))


def _exceptions_of(code: str) -> list[str]:
    classes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ClassDef)]
    return [node.name for node in classes if any(map(_raisable, node.bases))]


def test_every_exception_of_the_product_is_defined_in_one_file() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {path.relative_to(ROOT).as_posix(): _exceptions_of(path.read_text()) for path in files}

    assert [name for name, classes in found.items() if classes] == ["src/lossdiff/errors.py"]


def test_an_exception_in_another_file_would_be_found() -> None:
    code = (
        "class _Ended(sqlite3.Error): ...\nclass Row: ...\ndef f():\n  class Inner(Exception): ..."
    )

    assert _exceptions_of(code) == ["_Ended", "Inner"]


def test_every_error_is_in_the_tree() -> None:
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]

    assert set(classes) == {*TREE, errors.ConventionWarning}


def test_the_tree_is_drawn_at_the_top_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn = [line for line in errors.__doc__.splitlines() if line.strip().startswith(("- ", "· "))]

    assert drawn == list(_drawn(LossdiffError))


def _drawn(top: type[LossdiffError], depth: int = 0) -> Iterator[str]:
    mark = "-" if top.__subclasses__() else "·"
    yield f"{'  ' * depth}{mark} {top.__name__}"
    for child in top.__subclasses__():
        yield from _drawn(child, depth + 1)


@pytest.mark.parametrize("error", TREE)
def test_every_error_says_in_one_sentence_when_it_is_raised(error: type[LossdiffError]) -> None:
    text = error.__doc__ or ""

    assert text.endswith(".")
    assert "\n" not in text
    assert text.startswith("Base class of " if error.__subclasses__() else "Raised when ")


@pytest.mark.parametrize("error", TREE)
def test_every_error_passes_from_one_process_to_another(error: type[LossdiffError]) -> None:
    again = pickle.loads(pickle.dumps(error("mine.py: line 3")))  # noqa: S301 -- our own

    assert type(again) is error
    assert str(again) == "mine.py: line 3"


@pytest.mark.parametrize("error", TREE)
def test_every_error_has_an_exit_status(error: type[LossdiffError]) -> None:
    expected = Status.NOTHING if issubclass(error, ReproError) else Status.USAGE

    assert status_of(error("no")) is expected


def test_the_package_exports_the_base_class() -> None:
    assert "LossdiffError" in lossdiff.__all__
    assert lossdiff.LossdiffError is LossdiffError
