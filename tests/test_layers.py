"""Who may know whom: the imports of every file, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "lossdiff": "src/lossdiff",
    "lossdiff.cases": "cases",
    "lossdiff.cases.data": "cases/data",
    "lossdiff.backends": "backends",
    "lossdiff.harness": "harness",
    "lossdiff.reports": "reports",
    "lossdiff.reports.templates": "reports/templates",
}
FILES = {
    package + ("" if path.stem == "__init__" else f".{path.stem}"): path
    for package, folder in FOLDERS.items()
    for path in sorted((ROOT / folder).glob("*.py"))
}

# Layer by layer, from below: what each may import of this project.
ALLOWED = {
    "lossdiff.cases": ("lossdiff.cases",),
    "lossdiff.backends": ("lossdiff.cases", "lossdiff.backends"),
    "lossdiff.harness": ("lossdiff.cases", "lossdiff.backends", "lossdiff.harness"),
    "lossdiff.reports": (
        "lossdiff.cases",
        "lossdiff.reports",
        "lossdiff.harness.runfile",
        "lossdiff.harness.rows",
        "lossdiff.harness.timing_rows",
        "lossdiff.harness.verdicts",
        "lossdiff.harness.conventions",
        "lossdiff.harness.comparison",
        "lossdiff.harness.comparison_accuracy",
        "lossdiff.harness.comparison_time",
        "lossdiff.harness.history",
        "lossdiff.harness.sides",
    ),
    "lossdiff": ("lossdiff",),
}
# A framework's files begin with the name of one of its packages.
FRAMEWORKS = {
    "numpy": ("numpy", "scipy"),
    "torch": ("torch",),
    "jax": ("jax", "optax"),
    "tensorflow": ("tensorflow", "keras"),
}
# Every framework's arrays come from and go to NumPy's.
FOREIGN = {"scipy", "torch", "jax", "jaxlib", "optax", "tensorflow", "keras", "tf_keras"}
JUDGES = ("arithmetic", "oracle", "bounds", "judge", "conventions", "verdicts")
# pytest runs this file by its path, in a process of its own for each framework: it has no
# package to be relative to, and it is the one place that needs pytest.
STATISTICS = {
    (f"lossdiff.harness.{name}", "scipy") for name in ("noise", "noise_fastest", "estimates")
}
BENCHMARK_SUITE = "lossdiff.harness.benchmark_suite"


@dataclass(frozen=True)
class Import:
    """One import: the module that is imported, and whether it is written with dots."""

    module: str
    relative: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def imports_of(name: str) -> list[Import]:
    """Return the imports of a module, those inside functions included."""
    path = FILES[name]
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    return list(_imports(ast.parse(path.read_text()), package))


def _imports(tree: ast.AST, package: str) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, relative=False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            modules = [item for item in inner if item in FILES]
            for module in modules if len(modules) == len(inner) else [base, *modules]:
                yield Import(module, relative=node.level > 0)


def layer_of(name: str) -> str:
    """Return the longest layer that a module lies in."""
    return max((layer for layer in ALLOWED if _inside(name, layer)), key=len)


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def owner_of(name: str) -> str:
    """Return the framework that a file of `backends` belongs to; empty for the shared ones."""
    stem = name.rpartition(".")[2].partition("_")[0]
    owners = [framework for framework, packages in FRAMEWORKS.items() if stem in packages]
    return owners[0] if owners and layer_of(name) == "lossdiff.backends" else ""


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name: str) -> None:
    allowed = ALLOWED[layer_of(name)]
    own = [item.module for item in imports_of(name) if item.top == "lossdiff"]

    upward = [module for module in own if not any(_inside(module, home) for home in allowed)]

    assert upward == [], f"{name} may import {', '.join(allowed)}"


@pytest.mark.parametrize("name", FILES)
def test_a_framework_is_imported_only_by_its_own_files(name: str) -> None:
    allowed = FRAMEWORKS.get(owner_of(name), ())

    # Statistics of times judge no answer.
    modules = [item for item in imports_of(name) if (name, item.module) not in STATISTICS]
    foreign = {item.top for item in modules} & FOREIGN

    assert foreign <= set(allowed)


@pytest.mark.parametrize("name", [name for name in FILES if owner_of(name)])
def test_backends_never_import_each_other(name: str) -> None:
    """Parties that are compared must not share code: only `base` and a framework's own files."""
    others = [
        item.module
        for item in imports_of(name)
        if _inside(item.module, "lossdiff.backends")
        and item.module not in ("lossdiff.backends", "lossdiff.backends.base")
        and owner_of(item.module) != owner_of(name)
    ]

    assert others == []


def test_every_file_of_backends_has_an_owner_or_is_shared() -> None:
    ownerless = [
        name for name in FILES if layer_of(name) == "lossdiff.backends" and not owner_of(name)
    ]

    assert ownerless == ["lossdiff.backends", "lossdiff.backends.base"]


@pytest.mark.parametrize("stem", JUDGES)
def test_who_judges_knows_no_backend(stem: str) -> None:
    """An oracle that shared code with an implementation would share its errors."""
    seen, waiting = set(), [f"lossdiff.harness.{stem}"]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in FILES:
            continue
        seen.add(name)
        waiting += [item.module for item in imports_of(name)]

    assert [name for name in seen if _inside(name, "lossdiff.backends")] == []


def test_only_the_worker_loads_backends() -> None:
    users = [name for name in FILES if "load_backend" in _names(name) and "backends" not in name]

    assert users == ["lossdiff.harness.worker"]


def test_modules_are_imported_by_computed_names_in_few_places() -> None:
    """The rules above read written imports; what is imported otherwise is listed here."""
    dynamic = [name for name in FILES if _names(name) & {"import_module", "__import__"}]

    assert dynamic == [
        "lossdiff.backends",  # a framework's adapter
        "lossdiff.backends.base",  # its implementations
        "lossdiff.backends.tensorflow_backend",  # what TensorFlow has no public name for
        "lossdiff.harness.worker",  # a user's own
    ]


@pytest.mark.parametrize("name", [name for name in FILES if name != BENCHMARK_SUITE])
def test_imports_within_the_project_are_relative(name: str) -> None:
    """The four folders are mapped below `lossdiff`; only dots hold in both places."""
    absolute = [
        item.module for item in imports_of(name) if item.top == "lossdiff" and not item.relative
    ]

    assert absolute == []


def test_pytest_is_imported_by_the_benchmark_suite_alone() -> None:
    users = [name for name in FILES if "pytest" in {item.top for item in imports_of(name)}]

    assert users == [BENCHMARK_SUITE]


def test_onnx_is_imported_for_its_own_suite_alone() -> None:
    users = [name for name in FILES if "onnx" in {item.top for item in imports_of(name)}]

    assert users == ["lossdiff.cases.onnx_suite", "lossdiff.harness.onnx_reference"]


def test_nobody_imports_the_benchmark_suite() -> None:
    users = [
        name for name in FILES if BENCHMARK_SUITE in {item.module for item in imports_of(name)}
    ]

    assert users == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch.nn", ["torch.nn"]),
        ("def f():\n    from jax import numpy", ["jax"]),
        ("from ..cases.model import Case", ["lossdiff.cases.model"]),
        ("from . import verdicts", ["lossdiff.harness.verdicts"]),
        ("from ..backends import base, load_backend",
         ["lossdiff.backends", "lossdiff.backends.base"]),
    ],
)  # fmt: skip
def test_the_reader_of_imports_sees(code: str, expected: list[str]) -> None:
    assert expected == [item.module for item in _imports(ast.parse(code), "lossdiff.harness")]


def _names(name: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(FILES[name].read_text())))
    called = {node.id for node in nodes if isinstance(node, ast.Name)}
    return called | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
