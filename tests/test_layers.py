"""Who may know whom: the imports of every file, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "lossdiff": "src/lossdiff",
    "lossdiff.cases": "cases",
    "lossdiff.backends": "backends",
    "lossdiff.harness": "harness",
    "lossdiff.reports": "reports",
}


def _module(package: str, path: Path) -> str:
    parts = [package, *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    _module(package, path.relative_to(ROOT / folder)): path
    for package, folder in FOLDERS.items()
    for path in sorted((ROOT / folder).rglob("*.py"))
}

# Layer by layer, from below: what each may import of this project.
ERRORS, OUTPUTS, PRINTING = "lossdiff.errors", "lossdiff.outputs", "lossdiff.printing"
COLLECTION = "lossdiff.collection"
ALLOWED = {
    ERRORS: (),
    OUTPUTS: (ERRORS, OUTPUTS, PRINTING),
    PRINTING: (),
    COLLECTION: (),
    "lossdiff.cases": (ERRORS, "lossdiff.cases"),
    "lossdiff.backends": (ERRORS, COLLECTION, "lossdiff.cases", "lossdiff.backends"),
    "lossdiff.harness": (
        COLLECTION,
        ERRORS,
        OUTPUTS,
        PRINTING,
        "lossdiff.cases",
        "lossdiff.backends",
        "lossdiff.harness",
    ),
    "lossdiff.reports": (
        ERRORS,
        OUTPUTS,
        PRINTING,
        "lossdiff.cases",
        "lossdiff.backends.texts",
        "lossdiff.reports",
        "lossdiff.harness.verdicts",
        "lossdiff.harness.judging",
        "lossdiff.harness.runfile",
        "lossdiff.harness.causes",
        "lossdiff.harness.comparing",
    ),
    "lossdiff": ("lossdiff",),
}
# Inside `harness` a package may import only what stands left of it.
ORDER = (
    "answers", "verdicts", "guard", "progress", "launch", "oracle", "bounds", "formula", "judging",
    "runfile", "causes", "relations", "own", "workers", "engine", "timing", "comparing", "repro",
)  # fmt: skip
# A framework's files lie in the folder of its name.
OWN_PACKAGES = {name: framework.imports for name, framework in FRAMEWORKS.items()}
# Every framework's arrays come from and go to NumPy's.
FOREIGN = {package for own in OWN_PACKAGES.values() for package in own} - {"numpy"}
FOREIGN |= {"jaxlib", "tf_keras"}
SHARED = (
    "base",
    "claim",
    "dialect",
    "framework",
    "texts",
)  # files of `backends` that belong to no framework
JUDGES = ("oracle", "bounds", "formula", "judging", "verdicts")
STATISTICS = {("lossdiff.harness.comparing.statistics", "scipy")}  # of times: they judge no answer
# pytest runs this file by its path, in a process of its own for each framework: it has no
# package to be relative to, and it is the one place that needs pytest.
BENCHMARK_SUITE = "lossdiff.harness.timing.pytest_suite"


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
    parts = name.split(".")
    return (
        parts[2]
        if parts[:2] == ["lossdiff", "backends"] and parts[2:] and parts[2] not in SHARED
        else ""
    )


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name: str) -> None:
    allowed = ALLOWED[layer_of(name)]
    own = [item.module for item in imports_of(name) if item.top == "lossdiff"]

    upward = [module for module in own if not any(_inside(module, home) for home in allowed)]

    assert upward == [], f"{name} may import {', '.join(allowed)}"


def room_of(name: str) -> str:
    """Return the package, or the file, directly below `harness` that a module lies in."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["lossdiff", "harness"] and parts[2:] else ""


@pytest.mark.parametrize("name", [name for name in FILES if room_of(name)])
def test_packages_of_the_harness_import_only_what_stands_left_of_them(name: str) -> None:
    place = ORDER.index(room_of(name))
    rooms = {room_of(item.module) for item in imports_of(name)} - {room_of(name), ""}

    assert [room for room in rooms if ORDER.index(room) > place] == []


def test_the_order_names_every_package_of_the_harness() -> None:
    assert set(ORDER) == {room_of(name) for name in FILES} - {""}


@cache
def _entrances() -> set[str]:
    """The rooms of `harness`, and the names in `__all__`, some of which are those of files, too."""
    found = {f"lossdiff.harness.{room}" for room in ORDER}
    for name in list(found):
        for node in ast.parse(FILES[name].read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                found |= {f"{name}.{public}" for public in ast.literal_eval(node.value)}
    return found


@pytest.mark.parametrize("name", [name for name in FILES if name != BENCHMARK_SUITE])
def test_a_package_of_the_harness_is_entered_by_its_front_door(name: str) -> None:
    """What others may use stands in `__init__.py`; its files are its own business."""
    inner = [
        item.module
        for item in imports_of(name)
        if room_of(item.module) not in ("", room_of(name)) and item.module not in _entrances()
    ]

    assert inner == []


@pytest.mark.parametrize("room", [room for room in ORDER if f"lossdiff.harness.{room}" in FILES])
def test_a_package_of_the_harness_says_what_one_comes_here_for(room: str) -> None:
    path = FILES[f"lossdiff.harness.{room}"]
    if path.name != "__init__.py":
        return
    tree = ast.parse(path.read_text())

    assert (ast.get_docstring(tree) or "").startswith("Come here for")


@pytest.mark.parametrize("name", FILES)
def test_a_framework_is_imported_only_by_its_own_files(name: str) -> None:
    allowed = OWN_PACKAGES.get(owner_of(name), ())

    # Statistics of times judge no answer.
    modules = [item for item in imports_of(name) if (name, item.module) not in STATISTICS]
    foreign = {item.top for item in modules} & FOREIGN

    assert foreign <= set(allowed)


@pytest.mark.parametrize("name", [name for name in FILES if owner_of(name)])
def test_backends_never_import_each_other(name: str) -> None:
    """Parties that are compared must not share code, beyond the protocol."""
    others = [
        item.module
        for item in imports_of(name)
        if _inside(item.module, "lossdiff.backends")
        and owner_of(item.module) not in ("", owner_of(name))
    ]

    assert others == []


def test_every_file_of_backends_has_an_owner_or_is_shared() -> None:
    ownerless = [
        name for name in FILES if layer_of(name) == "lossdiff.backends" and not owner_of(name)
    ]

    assert ownerless == ["lossdiff.backends", *(f"lossdiff.backends.{name}" for name in SHARED)]


@pytest.mark.parametrize("stem", JUDGES)
def test_who_judges_knows_no_backend(stem: str) -> None:
    """An oracle that shared code with an implementation would share its errors."""
    seen, waiting = set(), [name for name in FILES if room_of(name) == stem]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in FILES:
            continue
        seen.add(name)
        waiting += [item.module for item in imports_of(name)]

    assert [name for name in seen if _inside(name, "lossdiff.backends")] == []


def test_only_the_worker_loads_backends() -> None:
    users = [name for name in FILES if "load_backend" in _names(name) and "backends" not in name]

    assert users == ["lossdiff.harness.workers.process"]


def test_modules_are_imported_by_computed_names_in_few_places() -> None:
    """The rules above read written imports; what is imported otherwise is listed here."""
    dynamic = [name for name in FILES if _names(name) & {"import_module", "__import__"}]

    assert dynamic == [
        "lossdiff",  # a public name, when it is first used
        "lossdiff._cli.main",  # a sub-command
        "lossdiff.backends",  # what there is of frameworks, adapters and dialects
        "lossdiff.backends.base",  # a framework's implementations
        "lossdiff.backends.tensorflow.adapter",  # what TensorFlow has no public name for
        "lossdiff.harness.own.loading",  # a user's own
    ]


@pytest.mark.parametrize("name", [name for name in FILES if name != BENCHMARK_SUITE])
def test_imports_within_the_project_are_relative(name: str) -> None:
    """The four folders are mapped below `lossdiff`; only dots hold in both places."""
    absolute = [
        item.module for item in imports_of(name) if item.top == "lossdiff" and not item.relative
    ]

    assert absolute == []


def test_pytest_is_imported_by_what_runs_in_it_alone() -> None:
    users = [name for name in FILES if "pytest" in {item.top for item in imports_of(name)}]

    assert users == ["lossdiff._api.questions", "lossdiff.pytest_plugin", BENCHMARK_SUITE]


def test_onnx_is_imported_for_its_own_suite_alone() -> None:
    users = [name for name in FILES if "onnx" in {item.top for item in imports_of(name)}]

    assert users == ["lossdiff.cases.onnx_suite", "lossdiff.harness.engine.onnx"]


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
