"""What is to be reported: each script shows what it claims, and none is left over."""

from __future__ import annotations

from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.ledger import ledger
from lossdiff.harness.repro.trial import why_not_shown

PAGE = Path(__file__).parents[1] / "docs" / "to_report.md"
SCRIPTS = sorted(PAGE.with_suffix("").glob("*.py"))
IMPORTS = {name: framework.imports[0] for name, framework in FRAMEWORKS.items()}


def framework_of(script: Path) -> str:
    """Return the framework that a script imports."""
    lines = script.read_text(encoding="utf-8").splitlines()
    found = [name for name, module in IMPORTS.items() if name != "numpy"
             and any(line.startswith(f"import {module}") for line in lines)]  # fmt: skip
    return found[0] if found else "numpy"


def verdict_of(script: Path) -> str:
    """Return the verdict that a script says it reproduces."""
    said = script.read_text(encoding="utf-8").partition("reproduced: ")[2]
    return said.split('"')[0].split(",")[0]


def test_the_page_lists_every_entry_that_is_to_be_reported() -> None:
    due = [entry.id for entry in ledger() if entry.source.startswith("to be reported")]

    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == due
    assert {script.stem for script in SCRIPTS} <= set(due)
    assert len(SCRIPTS) >= len(due) - 2  # relations alone have no script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(script, marks=pytest.mark.framework(framework_of(script)), id=script.stem)
        for script in SCRIPTS
    ],
)
def test_a_script_shows_what_it_claims(script: Path) -> None:
    assert why_not_shown(script.read_text(encoding="utf-8"), verdict_of(script)) == ""
