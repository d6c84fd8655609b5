"""A file that defines operations is imported by the judging process only if it does no harm."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.backends import load_backend
from lossdiff.cases.operations import BUILT_IN, OPERATIONS
from lossdiff.harness.formula import forget
from lossdiff.harness.own.loading import FOLDERS
from lossdiff.harness.workers import define_tried
from lossdiff.harness.workers.condition import Condition

from lossdiff.errors import DefinitionError, UserFileError

HEAD = """
import atexit, ctypes, os, sys, threading, time
import numpy as np
from lossdiff import formula as f

def squares(x):
    {formula}
    return f.mean(x * x)

operations = {{"squares": {{"formula": squares, "targets": ()}}}}
{end}
"""
# What a file does when it is imported, and what is said of it.
HARM = {
    "os._exit(0)": "the process ended without an answer",
    "os.abort()": "the process died with status -6",
    "time.sleep(600)": "no answer within 1 s",
    "np.exp = np.cosh": "its import spoils: numpy.exp",
    "ctypes.CDLL('libm.so.6').fesetround(0x800)": "its import spoils: rounding mode",
    "sys.setrecursionlimit(60)": "its import leaves changed: recursion limit",
    "os.closerange(0, 100)": "the process died",
    "threading.Thread(target=time.sleep, args=[9]).start()": (
        "its import leaves changed: a thread that goes on"
    ),
    "atexit.register(os._exit, 0)": "it ends its process in a way of its own",
}


@pytest.fixture(autouse=True)
def undefined() -> Iterator[None]:
    """Forget afterwards what a test has defined."""
    yield
    for name in set(OPERATIONS) - set(BUILT_IN):
        forget(name)


def written(folder: Path, *, formula: str = "", end: str = "") -> str:
    path = folder / "tried_formulas.py"
    path.write_text(HEAD.format(formula=formula, end=end), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("harm", HARM)
def test_a_file_that_harms_its_process_is_not_imported_here(tmp_path: Path, harm: str) -> None:
    with pytest.raises(UserFileError) as refused:
        define_tried(written(tmp_path, end=harm), seconds=1.0 if "600" in harm else 60.0)

    assert f"import it; tried, {HARM[harm]}" in str(refused.value)
    assert str(tmp_path / "tried_formulas.py") not in FOLDERS.files


@pytest.mark.parametrize(
    ("formula", "kind", "said"),
    [
        ("os._exit(0)", UserFileError, "the process ended without an answer"),
        ("sys.exit(0)", DefinitionError, "squares raises SystemExit: 0"),
        ("raise GeneratorExit", DefinitionError, "squares raises GeneratorExit"),
    ],
)
def test_neither_does_a_formula_end_the_process(
    tmp_path: Path, formula: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as refused:
        define_tried(written(tmp_path, formula=formula))

    assert said in str(refused.value)


def test_what_does_no_harm_is_defined_and_what_it_prints_is_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    define_tried(written(tmp_path, end="print('\\x1b[31m'); print('red', file=sys.stderr)"))

    assert OPERATIONS["squares"].result == "scalar"
    assert capfd.readouterr() == ("", "")


def test_no_process_is_started_for_a_file_that_defines_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossdiff.harness.workers.definitions.Caller", None)
    path = tmp_path / "mine.py"
    path.write_text("raise SystemExit\n", encoding="utf-8")

    define_tried(str(path))


def test_an_installed_package_may_replace_a_function_of_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    condition = Condition(load_backend("numpy"), whole=True)
    for folder, changes in (("site-packages", ""), ("mine", "spoils: inspect.getfile")):
        code = compile("def getfile(it): ...", str(tmp_path / folder / "own.py"), "exec")
        space = dict[str, object]()
        exec(code, space)  # noqa: S102 -- a function with the file that a package would have
        monkeypatch.setattr(inspect, "getfile", space["getfile"])

        assert str(condition.changes()) == changes
    assert sys.modules["inspect"] is inspect
