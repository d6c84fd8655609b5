"""No framework is imported before its backend is loaded, and then no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# None of this is needed to print what there is.
SLOW = ("numpy", "scipy", "rich", "jinja2", "msgspec")
# onnx is no framework, but it is imported for its own suite alone.
FRAMEWORKS = ("torch", "jax", "jaxlib", "optax", "tensorflow", "keras", "onnx")
OWN = {
    "numpy": set(),
    "torch": {"torch"},
    "jax": {"jax", "jaxlib", "optax"},
    # Where JAX is installed, tensorflow.lite and keras.callbacks import it themselves.
    "tensorflow": {"tensorflow", "keras", "jax", "jaxlib"},
}


def loaded_by(code: str, packages: tuple[str, ...] = FRAMEWORKS) -> set[str]:
    """Return which packages a fresh interpreter has imported after `code`."""
    report = f"import json, sys; print(json.dumps(sorted(set({packages}) & set(sys.modules))))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import lossdiff, lossdiff.pytest_plugin",
        "import lossdiff; [getattr(lossdiff, name) for name in lossdiff.__all__]",
        "import lossdiff._cli.main, lossdiff.__main__",
        "import lossdiff._cli.check, lossdiff._cli.bench, lossdiff._cli.merge",
        "import lossdiff._cli.report, lossdiff._cli.compare, lossdiff._cli.show",
        "import lossdiff._cli.repro, lossdiff._cli.list",
        "import lossdiff.harness.engine, lossdiff.harness.timing, lossdiff.harness.repro",
        "import lossdiff.harness.workers.process",
        "import lossdiff.reports.html, lossdiff.reports.terminal",
        "import lossdiff.backends.base",
        "from lossdiff.backends import FRAMEWORKS, dialect_of; list(map(dialect_of, FRAMEWORKS))",
    ],
)
def test_importing_ours_imports_no_framework(code: str) -> None:
    assert loaded_by(code) == set()


def test_the_package_imports_nothing_but_errors_and_its_plug_in_only_pytest() -> None:
    assert loaded_by("import lossdiff", (*SLOW, "pytest")) == set()
    assert loaded_by("import lossdiff.pytest_plugin", (*SLOW, "pytest")) == {"pytest"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["chek"]])
def test_the_command_line_says_what_there_is_at_once(arguments: list[str]) -> None:
    code = f"from lossdiff._cli.main import run; run({arguments})"

    assert loaded_by(code, SLOW) == set()


@pytest.mark.parametrize("what", ["operations", "ledger"])
def test_a_list_loads_neither_reports_nor_statistics(what: str) -> None:
    code = f"from lossdiff._cli.main import run; run(['list', '{what}'])"

    assert loaded_by(code, ("jinja2", "scipy.stats")) == set()


@pytest.mark.onnx
def test_the_cases_of_onnx_import_onnx_and_no_framework() -> None:
    code = "from lossdiff._cli.main import run; run(['list', 'cases', '--suite', 'onnx'])"

    assert loaded_by(code) == {"onnx"}


def test_listing_what_there_is_imports_no_framework() -> None:
    code = "from lossdiff._cli.main import run; run(['list', 'operations']); run(['list', 'cases'])"

    assert loaded_by(code) == set()


@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=pytest.mark.framework(name)) for name in OWN]
)
def test_a_backend_imports_its_own_framework_and_no_other(framework: str) -> None:
    load = f"load_backend('{framework}').implementations"

    loaded = loaded_by(f"from lossdiff.backends import load_backend; {load}")

    assert loaded - OWN[framework] == set()
