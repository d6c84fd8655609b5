"""What is said of a user's functions before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import ExampleRow, VerdictRow

from lossdiff._cli.status import Status

from .command import GOOD, NUMPY, WRONG, write

MIXED = """
from scipy.special import expit, softmax, logsumexp as lse
import numpy as np

print("a line of a script")

def logsumexp_shifted(x, dim=-1):
    a = x.max(dim, keepdims=True)
    return np.log(np.exp(x - a).sum(dim)) + a.squeeze(dim)

def logsumexp_kl(p, q): ...

if __name__ == "__main__":
    raise SystemExit
"""


def test_a_dry_run_says_what_is_taken_as_what_and_what_is_left(lossdiff: Any) -> None:
    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('my-own.py', MIXED)}", "--dry-run")

    assert ended.status == Status.OK
    assert ended.out.splitlines() == [
        "my-own.logsumexp_shifted is taken as logsumexp (axis)",
        "left: my-own.expit, my-own.softmax, my-own.lse (imported, and not defined here)",
        "left: my-own.logsumexp_kl (its name is no operation's; if it is one, name it:",
        "    FILE.py:NAME=OPERATION)",
    ]
    assert not Path("lossdiff.sqlite").exists()


SOFTMAX = """
import numpy as np

def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
"""


@pytest.mark.parametrize(("command", "operation"), [("check", "logsumexp"), ("bench", "softmax")])
def test_a_dry_run_asks_nothing(lossdiff: Any, command: str, operation: str) -> None:
    text = {"logsumexp": GOOD, "softmax": SOFTMAX}[operation]
    impl = f"numpy={write('mine.py', text)}:{operation}"

    ended = lossdiff(
        command, "--backend", "numpy", "--operation", operation, "--impl", impl, "--dry-run",
        "-o", "run.sqlite",
    )  # fmt: skip

    assert ended.status == Status.OK
    assert ended.out == f"mine.{operation} is taken as {operation} (axis)\n"
    assert not Path("run.sqlite").exists()


def test_one_process_gets_to_know_a_function_asks_it_and_makes_its_findings_smaller(
    lossdiff: Any,
) -> None:
    begins = "import os\nprint(os.getpid(), file=open('starts', 'a'))\n"

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', begins + WRONG)}")

    assert ended.status == Status.FINDINGS
    assert len(Path("starts").read_text(encoding="utf-8").split()) == 1
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        assert run.count(ExampleRow)


def test_lines_fit_a_terminal(lossdiff: Any) -> None:
    name = "logsumexp_with_a_name_that_is_long_and_goes_on_and_on_as_names_may"
    text = GOOD.replace("logsumexp(", f"{name}(") + f"\n{name}2 = lambda x, y, z: 0"

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', text)}", "--dry-run")

    assert max(map(len, ended.out.splitlines())) <= 80


def test_one_object_is_taken_as_what_is_said(lossdiff: Any) -> None:
    write("mine.py", GOOD.replace("logsumexp(", "reduced("))

    ended = lossdiff("check", *NUMPY, "--impl", "numpy=mine.py:reduced=lse", "--dry-run")

    assert ended.out == "mine.reduced is taken as logsumexp (axis)\n"


def test_a_function_that_raises_is_shown_with_its_line_and_asked_one_question(
    lossdiff: Any,
) -> None:
    text = "def logsumexp(x):\n    return wrong + x.sum()\n"

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', text)}")

    assert ended.status == Status.FINDINGS
    place = Path("mine.py").resolve()
    assert f'  File "{place}", line 2, in logsumexp\n    return wrong + x.sum()' in ended.out
    assert "mine.logsumexp, taken as logsumexp, does not answer logsumexp of float32" in ended.out
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        rows = list(run.rows(VerdictRow, "kind = 'user'"))
    assert [row.verdict for row in rows if row.quantity == "value"] == ["raised"]


def test_a_function_that_ends_its_process_is_said_to_before_the_run(lossdiff: Any) -> None:
    text = "import os\ndef logsumexp(x): os._exit(7)\n"

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={write('mine.py', text)}", "--dry-run")

    assert ended.status == Status.FINDINGS
    assert "the process died with status 7\n" in ended.out
    assert "it is asked nothing else" in " ".join(ended.out.split())


def test_an_import_that_fails_shows_the_users_lines_and_one_line_that_names_the_file(
    lossdiff: Any,
) -> None:
    impl = f"numpy={write('mine.py', 'import no_such_helper')}"

    ended = lossdiff("check", *NUMPY, "--impl", impl)

    assert ended.status == Status.USAGE
    assert f'File "{Path("mine.py").resolve()}", line 1, in <module>' in ended.err
    assert "mine.py cannot be imported: ModuleNotFoundError" in ended.error
    assert not Path("lossdiff.sqlite").exists()


def test_functions_of_other_operations_are_not_asked(lossdiff: Any) -> None:
    impl = f"numpy={write('mine.py', 'def sigmoid(x): raise ValueError')}"

    ended = lossdiff("check", *NUMPY, "--impl", impl, "--dry-run")

    assert ended.status == Status.OK
    assert ended.out == "numpy: none of your functions is of these operations\n"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("mine.ipynb", "mine.ipynb is a notebook: export it as a Python file, and name that"),
        ("my-loss", "'my-loss' is no place of a function; allowed: mine.py, package.losses"),
        ("none.py:f=softmax", "there is no file none.py"),
        ("mine.py:f=sofmax", "'sofmax' is no operation; did you mean softmax?"),
        ("mine.py:f(=softmax", "is no expression of an object"),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("bench",), ("list", "implementations")])
def test_a_place_that_cannot_be_is_refused_in_one_line(
    lossdiff: Any, command: tuple[str, ...], place: str, expected: str
) -> None:
    write("mine.py", GOOD)

    ended = lossdiff(*command, "--impl", f"numpy={place}")

    assert ended.status == Status.USAGE
    assert expected in ended.error


def test_names_are_listed_of_functions_and_of_parameters(lossdiff: Any) -> None:
    ended = lossdiff("list", "names")

    words = " ".join(ended.out.split())
    told = "sparse_categorical_crossentropy operation: cross_entropy_probs; targets: index "
    assert told in words
    assert "axis, dim," in words
