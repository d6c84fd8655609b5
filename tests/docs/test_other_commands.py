"""What the pages name beside `lossdiff`: tox, pip, scripts and others.

They install, or take minutes, so they are not run: what they name has to be there.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from configparser import ConfigParser
from importlib import metadata
from itertools import product

import pytest

from .pages import PAGES, ROOT, inline_commands, snippets

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_TOX = ConfigParser(interpolation=None)
_TOX.read(ROOT / "tox.ini", encoding="utf-8")
_PINNED = {
    line.partition("==")[0]
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
}
# Packages that no test environment holds, with the place that says so.
_ELSEWHERE = {
    "covertable": "for one script, as CONTRIBUTING.md says",
    "pre-commit": "for the hook of a working copy",
    "tox": "what the first line of the README installs",
}
# Commands of which there is nothing to look up.
_PLAIN = {
    "python3 -m venv .venv": "of Python itself",
    ". .venv/bin/activate": "made by the line before",
    "pre-commit install": "its settings are looked at below",
}
_SCRIPTS_WITHOUT_HELP = {"scripts/make_covering.py": "it takes no options"}


def environments() -> set[str]:
    """Return the names of the environments in `tox.ini`."""
    found: set[str] = set()
    for section in _TOX.sections():
        if section.startswith("testenv:"):
            parts = re.split(r"\{(.*?)\}", section.removeprefix("testenv:"))
            found |= {"".join(name) for name in product(*(part.split(",") for part in parts))}
    return found


def unknown_to_tox(words: list[str]) -> list[str]:
    """Return the environments that a command names and `tox.ini` does not."""
    named = [word for at, word in enumerate(words) if at and words[at - 1] == "-e"]
    return [name for names in named for name in names.split(",") if name not in environments()]


def unknown_to_pip(words: list[str]) -> list[str]:
    """Return the files, extras and packages that a command names and the project does not."""
    missing, skips = [], {"install", "-e"}
    for at, word in enumerate(words[1:]):
        if words[at] == "-c":
            missing += [] if (ROOT / word).is_file() else [word]
        elif extras := re.fullmatch(r"(?:\.|lossdiff)\[(.*)\]", word):
            missing += [
                x for x in extras[1].split(",") if x not in _PROJECT["optional-dependencies"]
            ]
        elif word not in {*skips, "-c"} and word.partition("==")[0] not in {*_PINNED, *_ELSEWHERE}:
            missing.append(word)
    return missing


def unknown_files(words: list[str]) -> list[str]:
    """Return the files and folders that a command names and the repository does not hold."""
    return [word for word in words[1:] if "/" in word and not (ROOT / word).exists()]


def unknown_to_ruff(words: list[str]) -> list[str]:
    """Return a command that the environment `lint` does not run."""
    return [] if shlex.join(words) in _TOX["testenv:lint"]["commands"].splitlines() else words


def unknown_to_dask(words: list[str]) -> list[str]:
    """Return the sub-command that the package distributed does not add to Dask."""
    added = {entry.name for entry in metadata.entry_points(group="dask_cli")}
    return [] if words[1] in added else [words[1]]


LOOKS: dict[str, Callable[[list[str]], list[str]]] = {
    "tox": unknown_to_tox,
    "pip": unknown_to_pip,
    "python": unknown_files,
    "pytest": unknown_files,
    "ruff": unknown_to_ruff,
    "dask": unknown_to_dask,
}


def others(page: str) -> list[str]:
    """Return the commands of a page that are not of `lossdiff`."""
    printed = [c for s in snippets(page) if s.language == "sh" for c in s.commands]
    parts = [part for c in inline_commands(page) for part in c.split(" && ")]
    return [command for command in (*printed, *parts) if not command.startswith("lossdiff ")]


EVERY = sorted({command for page in PAGES for command in others(page)})


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.cluster if command.startswith("dask") else ())
        for command in EVERY
        if command not in _PLAIN
    ],
)
def test_what_a_command_names_is_there(command: str) -> None:
    words = shlex.split(command)

    assert LOOKS[words[0]](words) == []


def test_what_is_named_wrongly_is_found() -> None:
    assert unknown_to_tox(["tox", "run", "-e", "report,repotr"]) == ["repotr"]
    assert unknown_to_pip(["pip", "install", "-c", "no.txt", ".[torch,toch]", "rufff"]) == [
        "no.txt", "toch", "rufff"
    ]  # fmt: skip
    assert unknown_files(["python", "scripts/no.py"]) == ["scripts/no.py"]
    assert unknown_to_ruff(["ruff", "chekc"]) == ["ruff", "chekc"]


def test_the_hook_that_is_installed_runs_ruff() -> None:
    assert "id: ruff" in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def test_every_exception_names_a_command() -> None:
    assert set(_PLAIN) <= set(EVERY)
    for name in (*_ELSEWHERE, *_SCRIPTS_WITHOUT_HELP):
        assert any(name in command for command in EVERY), name


def with_options() -> list[str]:
    """Return the scripts that pages or tox environments run, and that take options."""
    text = "\n".join(EVERY) + (ROOT / "tox.ini").read_text(encoding="utf-8").replace("{/}", "/")
    return sorted({*re.findall(r"scripts/[\w/]+\.py", text)} - set(_SCRIPTS_WITHOUT_HELP))


@pytest.mark.parametrize("script", with_options())
def test_a_script_says_how_it_is_used(script: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    options = [word for c in EVERY if script in c for word in c.split() if word.startswith("--")]
    assert [option for option in options if option not in done.stdout] == []
