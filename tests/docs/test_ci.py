"""The action and the workflows of `docs/ci.md`: they are read as a server reads them, and run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from junitparser import JUnitXml
from lossdiff.harness.runfile.file import RunFile

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status

from .pages import ROOT, snippets
from .test_other_commands import unknown_to_pip

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
OWN: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
WORKFLOW, JOB = (
    yaml.safe_load(snippet.text) for snippet in snippets("docs/ci.md") if snippet.language == "yaml"
)
STEPS = ACTION["runs"]["steps"]
RIGHT = """
import numpy as np

def softmax(logits, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
"""
WRONG = "def softmax(logits, axis=-1):\n    return logits\n"
_USED = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


def options_of(command: str) -> None:
    """Refuse a command of `lossdiff` that has an option which does not exist."""
    _, name, *arguments = shlex.split(command)
    found = cli.cli.get_command(click.Context(cli.cli), name)
    assert found is not None, command
    found.make_context(name, arguments)


def uses_of_the_action() -> Iterator[dict[str, str]]:
    """Yield the inputs with which workflows use the action."""
    for jobs in (WORKFLOW["jobs"], OWN["jobs"]):
        for job in jobs.values():
            for step in job["steps"]:
                if step.get("uses", "").partition("@")[0] in ("./", "OWNER/lossdiff"):
                    yield step["with"]


# --- the files are what a server reads ---------------------------------------------------------


def test_the_action_is_a_composite_one_whose_inputs_are_described() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert ACTION["name"]
    assert ACTION["description"]
    for name, described in ACTION["inputs"].items():
        assert described["description"], name
        assert ("default" in described) != described.get("required", False), name


def test_every_step_runs_a_shell_or_uses_a_released_action() -> None:
    for step in STEPS:
        if "run" in step:
            assert step["shell"] == "bash"
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_every_input_is_used_and_each_that_is_used_exists() -> None:
    assert set(_USED.findall(yaml.safe_dump(STEPS))) == set(ACTION["inputs"])


def test_no_input_is_part_of_a_script() -> None:
    # What stands there would be run, whatever it is; in the environment it stays a text.
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_workflows_use_the_action_with_inputs_that_it_has() -> None:
    used = list(uses_of_the_action())

    assert len(used) >= 2
    for given in used:
        assert set(given) <= set(ACTION["inputs"])
        assert "implementations" in given


def test_the_page_names_every_input_with_its_default() -> None:
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    table = {row[0].strip("`"): row[2].strip("`") for row in cells if len(row) == 3}

    due = {name: it.get("default", "") for name, it in ACTION["inputs"].items()}
    assert {name: table[name] for name in due} == due


def test_the_commands_of_the_other_job_exist() -> None:
    for command in (*JOB["losses"]["script"], *JOB["losses"]["after_script"]):
        if command.startswith("pip "):
            assert unknown_to_pip(shlex.split(command)[:-2]) == []  # `-e .` is the reader's
        else:
            options_of(command)


# --- the steps of the action are run -----------------------------------------------------------


def check_step(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step that checks, in a folder, as a runner does."""
    (step,) = [step for step in STEPS if step.get("name") == "Check"]
    values = {name: it.get("default", "") for name, it in ACTION["inputs"].items()} | inputs
    given = {name: _USED.sub(lambda m: values[m[1]], text) for name, text in step["env"].items()}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**os.environ, **given, "PATH": path, "GITHUB_STEP_SUMMARY": str(folder / "page.md")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "status"), [(RIGHT, Status.OK), (WRONG, Status.FINDINGS)], ids=["right", "wrong"]
)
def test_the_step_that_checks_ends_as_the_check_and_leaves_everything(
    text: str, status: Status, tmp_path: Path
) -> None:
    pytest.importorskip("jinja2", reason="pip install 'lossdiff[report]'")
    (tmp_path / "my losses.py").write_text(text, encoding="utf-8")
    (tmp_path / "page.md").write_text("# of an earlier step\n", encoding="utf-8")

    done = check_step(tmp_path, implementations="numpy=my losses.py\n\n", suite="worked")

    assert done.returncode == status, done.stderr
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.startswith("# of an earlier step\n## lossdiff: ")
    out = tmp_path / "lossdiff-out"
    assert JUnitXml.fromfile(str(out / "junit.xml")).failures == (status == Status.FINDINGS)
    assert (out / "report.html").stat().st_size
    with RunFile.open(out / "check.sqlite") as run:
        assert run.meta["finished"]


def test_the_step_that_checks_fails_where_there_is_no_such_file(tmp_path: Path) -> None:
    done = check_step(tmp_path, implementations="numpy=none.py")

    assert done.returncode == Status.USAGE
    assert "there is no file none.py" in done.stderr
    assert not (tmp_path / "page.md").exists()


def test_the_step_that_installs_names_extras_of_the_project(tmp_path: Path) -> None:
    (step,) = [step for step in STEPS if step.get("name") == "Install"]
    script = f"python() {{ printf '%s\\n' \"$@\"; }}\n{step['run']}"
    for frameworks in ("", "torch,jax"):
        given = {"FRAMEWORKS": frameworks, "INSTALL": "-e .", "GITHUB_ACTION_PATH": "."}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=True,
        )
        words = done.stdout.split("\n")
        assert words[:3] == ["-m", "pip", "install"]
        assert words[4:6] == ["-e", "."]
        assert unknown_to_pip(["pip", "install", words[3]]) == []
