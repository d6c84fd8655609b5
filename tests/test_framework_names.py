"""Outside `backends` no name of a framework, of its modes or of its variables decides anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.backends import EAGER, FRAMEWORKS

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for folder in ("harness", "reports", "src/lossdiff")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# As a word of any text, and at the beginning of a variable's name.
WORDS = {*FRAMEWORKS, *(name for item in FRAMEWORKS.values() for name in item.imports)}
WORDS |= {"pytorch", "tf", "jnp", "jaxlib"}
VARIABLE = re.compile(r"\b(TF|KERAS|JAX|XLA|TORCH|TORCHINDUCTOR|NPROC)(_|\b)")
# As the whole of a text: `function` and `compile` are words of English too.
MODES = {name for item in FRAMEWORKS.values() for name in item.mode_names} - {EAGER}
MEANINGS = "MEANINGS"  # a table of prose
# (file, text): why it decides nothing.
EXCEPTIONS = {
    ("harness/judging/conventions.py", MEANINGS): "prose: who documents it",
    ("harness/engine/onnx.py", "numpy"): "ONNX's evaluator is NumPy code: its version",
    ("harness/workers/process.py", "numpy"): "the version whose arrays are sent around",
    ("harness/repro/script.py", "numpy"): "the same, in the head of a script",
    ("reports/opening.py", "function"): "the English word",
    (
        "src/lossdiff/_cli/main.py",
        "Print a script that shows a finding with NumPy and that framework alone.",
    ): "a line of the help",
    (
        "src/lossdiff/_cli/named_files.py",
        " names no file: NAME=FILE, such as numpy=mine.py",
    ): "an example",
    ("src/lossdiff/_cli/options.py", " is not FRAMEWORK=FILE, such as torch=mine.py"): "an example",
}


def texts_of(code: str) -> Iterator[str]:
    """Yield the texts of a program that are no docstrings; of `MEANINGS` its name alone."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Expr):
            skipped |= set(ast.walk(node)) if isinstance(node.value, ast.Constant) else set()
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if [ast.unparse(target) for target in targets] == [MEANINGS]:
                skipped |= set(ast.walk(node))
                yield MEANINGS
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.value


def names_in(text: str) -> set[str]:
    """Return the names of frameworks, of their variables and of their modes in a text."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    found = words & WORDS | {match.group() for match in VARIABLE.finditer(text)}
    return found | ({text} & MODES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_outside_of_backends_names_a_framework(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()

    found = [
        text
        for text in texts_of(path.read_text(encoding="utf-8"))
        if names_in(text) and (name, text) not in EXCEPTIONS
    ]

    assert found == []


@pytest.mark.parametrize(("name", "text"), EXCEPTIONS)
def test_an_exception_is_still_there(name: str, text: str) -> None:
    assert text in set(texts_of((ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('is_by_hand = framework == "numpy"', {"numpy"}),
        ('kinds = {"jit": 1}', {"jit"}),
        ('pattern = "tf.nn.*"', {"tf"}),
        ('os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"', {"TF_", "tf"}),
        ('line = f"{call} with torch.float32"', {"torch"}),
        ('"""What NumPy and torch do."""', set()),
        ('word = "a function of modes that compile"', set()),
    ],
)
def test_the_reader_sees_names(code: str, expected: set[str]) -> None:
    assert {name for text in texts_of(code) for name in names_in(text)} == expected
