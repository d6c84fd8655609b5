"""The wheel holds every file of the package, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "src/lossdiff": "lossdiff",
    "cases": "lossdiff/cases",
    "backends": "lossdiff/backends",
    "harness": "lossdiff/harness",
    "reports": "lossdiff/reports",
}
SUFFIXES = (".py", ".typed", ".json", ".npz", ".toml", ".j2", ".css", ".js")

pytestmark = pytest.mark.skipif(
    find_spec("setuptools") is None, reason="setuptools, which builds the wheel, is not installed"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build a wheel from a copy of the tree, so that nothing is left behind in it."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in [*FOLDERS, "tests"]:
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out), str(copy),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("lossdiff-*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_in_the_wheel(wheel: set[str]) -> None:
    files = {
        (Path(package) / path.relative_to(ROOT / folder)).as_posix()
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES
    }

    assert sorted(files - wheel) == []


def test_nothing_else_is_in_the_wheel(wheel: set[str]) -> None:
    others = {name for name in wheel if not name.startswith("lossdiff/")}

    assert {name.partition("/")[0].partition("-")[0] for name in others} == {"lossdiff"}
    assert {name.partition("/")[0].rpartition(".")[2] for name in others} == {"dist-info"}


@pytest.mark.parametrize("word", ["/test_", "conftest", "__pycache__", ".pyc"])
def test_no_tests_and_no_caches_are_in_the_wheel(wheel: set[str], word: str) -> None:
    assert [name for name in wheel if word in name] == []


def test_every_file_of_the_package_is_of_a_kind_that_is_packed() -> None:
    """A template of a new kind would be missing from the wheel without a word."""
    kinds = {
        path.suffix
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pyc")) for part in path.parts)
    }

    assert kinds <= set(SUFFIXES)
