"""A user's file is imported as Python would import it from where it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from lossdiff.harness.own.loading import load_module
from lossdiff.harness.own.places import place_of

from lossdiff.errors import UserFileError


def written(folder: Path, name: str, text: str = "") -> str:
    """Write a file, in a folder of its own if need be."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def loaded(place: str) -> ModuleType:
    return load_module(place_of(place))


def refused(place: str) -> UserFileError:
    with pytest.raises(UserFileError) as error:
        loaded(place)
    assert "\n" not in str(error.value)
    return error.value


def test_a_file_finds_what_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "stable_parts.py", "SHIFT = 3")

    module = loaded(written(tmp_path, "my-loss.py", "from stable_parts import SHIFT"))

    assert (module.__name__, module.SHIFT) == ("my-loss", 3)


def test_two_files_have_each_the_helpers_beside_it(tmp_path: Path) -> None:
    text = "import helper_parts\nfrom helper_more.deep import FAR"
    places = [written(tmp_path / it, f"mine_{it}.py", text) for it in ("one", "two")]
    for it in ("one", "two"):
        written(tmp_path / it, "helper_parts.py", f"NEAR = {it!r}")
        written(tmp_path / it, "helper_more/__init__.py")
        written(tmp_path / it, "helper_more/deep.py", f"FAR = {it!r}")

    one, two = map(loaded, places)

    assert (one.helper_parts.NEAR, one.FAR) == ("one", "one")
    assert (two.helper_parts.NEAR, two.FAR) == ("two", "two")
    assert loaded(places[0]) is one


def test_a_file_finds_what_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "common_parts.py", "SHIFT = 4")
    monkeypatch.chdir(tmp_path)

    assert loaded(written(tmp_path, "deep/mine_a.py", "from common_parts import *")).SHIFT == 4


def test_what_lies_beside_a_file_comes_before_what_is_installed(tmp_path: Path) -> None:
    written(tmp_path, "mdurl.py", "SHIFT = 5")

    assert loaded(written(tmp_path, "mine_b.py", "from mdurl import SHIFT")).SHIFT == 5


def test_a_file_in_a_package_is_imported_as_a_part_of_it(tmp_path: Path) -> None:
    for name in ("__init__.py", "nn/__init__.py"):
        written(tmp_path / "src/acme_a", name)
    written(tmp_path / "src/acme_a", "parts.py", "SHIFT = 1")
    text = "from ..parts import SHIFT\nfrom acme_a import parts"
    place = written(tmp_path / "src/acme_a", "nn/losses.py", text)

    module = loaded(place)

    assert (module.__name__, module.SHIFT) == ("acme_a.nn.losses", 1)
    assert sys.modules["acme_a.nn.losses"] is module


def test_the_init_of_a_package_is_the_package(tmp_path: Path) -> None:
    module = loaded(written(tmp_path, "acme_b/__init__.py", "def softmax(x): ..."))

    assert module.__name__ == "acme_b"


def test_a_file_that_imports_relatively_is_in_a_package_without_init_too(tmp_path: Path) -> None:
    written(tmp_path, "acme-c/parts.py", "SHIFT = 2")

    module = loaded(written(tmp_path, "acme-c/losses.py", "from .parts import SHIFT"))

    assert (module.__name__, module.SHIFT) == ("acme-c.losses", 2)


def test_a_module_is_found_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "acme_d/losses.py", "SHIFT = 6")
    monkeypatch.chdir(tmp_path)

    assert loaded("acme_d.losses").SHIFT == 6


@pytest.mark.parametrize("name", ["random", "colorsys", "numpy", "mdurl"])
def test_a_file_does_not_take_the_place_of_another_module(tmp_path: Path, name: str) -> None:
    import colorsys
    import random

    import numpy as np

    module = loaded(written(tmp_path, f"{name}.py", f"import {name} as other"))

    # Tests before this one may have loaded files of the same name: they are numbered.
    assert re.fullmatch(rf"user_{name}(_\d+)?", module.__name__)
    assert module.other is not module
    assert module.other is sys.modules[name]
    assert (sys.modules["random"], sys.modules["numpy"]) == (random, np)
    assert sys.modules["colorsys"] is colorsys


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    first, second = (written(tmp_path, f"{at}/mine_e.py", f"AT = {at!r}") for at in "ab")

    assert (loaded(first).AT, loaded(second).AT) == ("a", "b")
    assert loaded(first) is loaded(first)


def test_a_package_of_the_name_of_another_is_refused(tmp_path: Path) -> None:
    for at in "ab":
        written(tmp_path, f"{at}/acme_f/__init__.py")
    loaded(written(tmp_path, "a/acme_f/losses.py"))

    assert "that name, too" in str(refused(written(tmp_path, "b/acme_f/losses.py")))


def test_a_script_has_no_arguments(tmp_path: Path) -> None:
    text = "import argparse\nparser = argparse.ArgumentParser()\n"
    text += "parser.add_argument('--lr', default=0.1)\nlr = parser.parse_args().lr"

    assert loaded(written(tmp_path, "train_a.py", text)).lr == 0.1


def test_an_import_that_fails_shows_the_users_lines_and_none_of_ours(tmp_path: Path) -> None:
    written(tmp_path, "breaks_a.py", "def made(n):\n    return 1 / n\n")
    place = written(tmp_path, "mine_g.py", "from breaks_a import made\nmade(0)\n")

    error = refused(place)

    assert str(error) == f"{place} cannot be imported: ZeroDivisionError: division by zero"
    shown = error.traceback.splitlines()
    assert [line for line in shown if "File " in line] == [
        f'  File "{place}", line 2, in <module>',
        f'  File "{tmp_path}/breaks_a.py", line 2, in made',
    ]
    assert shown[-1] == "ZeroDivisionError: division by zero"


def test_a_module_that_is_missing_is_named_as_the_user_does(tmp_path: Path) -> None:
    error = refused(written(tmp_path, "mine_h.py", "import no_such_helper"))

    assert "ModuleNotFoundError: No module named 'no_such_helper'" in str(error)
    assert f"(searched: {tmp_path} and ., and what is installed)" in str(error)
    assert "lossdiff" not in error.traceback
    assert "importlib" not in error.traceback


def test_a_module_that_is_not_there_has_a_traceback_of_one_line() -> None:
    error = refused("no_such_module_a.losses")

    assert error.traceback == "ModuleNotFoundError: No module named 'no_such_module_a'"


def test_a_syntax_error_shows_its_line(tmp_path: Path) -> None:
    error = refused(written(tmp_path, "mine_i.py", "def softmax(:\n    pass\n"))

    assert "SyntaxError: invalid syntax" in str(error)
    assert "def softmax(:" in error.traceback


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert str(refused(str(tmp_path / "no.py"))) == f"there is no file {tmp_path}/no.py"


def test_a_file_that_failed_is_imported_anew(tmp_path: Path) -> None:
    place = written(tmp_path, "mine_j.py", "1 / 0")
    refused(place)
    written(tmp_path, "mine_j.py", "SHIFT = 700")

    assert loaded(place).SHIFT == 700
