"""Users' functions are asked plain questions in a process that any of them may end."""

from __future__ import annotations

from pathlib import Path

import pytest
from lossdiff.harness.workers import Introduction, Limits, Setup, introduce, load
from lossdiff.harness.workers.wire import decode, encode

from lossdiff.errors import DeclarationError, LostError, UserFileError

LIMITS = Limits(20.0)
DEADLY = """
import os
import numpy as np

def sigmoid(x): return 1 / (1 + np.exp(-x))
def exp(x): os._exit(3)
def log_sigmoid(x): return -np.log1p(np.exp(-x)) + missing
def softmax(x, temperature): ...
def softmax_loss(logits, labels): return -np.log(logits)[np.arange(len(labels)), labels]
"""


def introduced(folder: Path, text: str, *operations: str, only: str = "") -> Introduction:
    path = folder / "mine.py"
    path.write_text(text)
    return introduce(Setup("numpy", extra=(str(path),)), LIMITS, operations, only)


def test_each_function_is_learnt_whatever_the_others_do(tmp_path: Path) -> None:
    met = introduced(tmp_path, DEADLY, "sigmoid", "exp", "log_sigmoid", "softmax")

    assert {it.claim.name: it.failed is None for it in met.learnt} == {
        "mine.sigmoid": True, "mine.exp": False, "mine.log_sigmoid": False
    }  # fmt: skip
    assert [it.name for it in met.left] == ["mine.softmax"]
    died, raised = met.failed
    assert died.traceback == "the process died with status 3"
    assert raised.traceback.endswith("NameError: name 'missing' is not defined")


def test_what_is_learnt_is_plain_data_from_which_another_process_makes_the_function(
    tmp_path: Path,
) -> None:
    met = introduced(tmp_path, DEADLY, only="mine.sigmoid")
    learnt = decode(encode(met), Introduction).learnt

    backend = load(Setup("numpy", extra=(str(tmp_path / "mine.py"),), learnt=learnt))

    assert learnt == met.learnt
    assert [it.name for it in backend.extra] == ["mine.sigmoid"]
    assert backend.extra[0].function(backend.to_array(0.0)) == 0.5


def test_a_function_that_is_not_there_any_more_is_missed(tmp_path: Path) -> None:
    met = introduced(tmp_path, DEADLY, only="mine.sigmoid")
    (tmp_path / "mine.py").write_text("def exp(x): ...")

    with pytest.raises(UserFileError, match=r"there is no mine\.sigmoid any more"):
        load(Setup("numpy", extra=(str(tmp_path / "mine.py"),), learnt=met.learnt))


def test_a_file_of_which_nothing_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserFileError, match=r"no function is taken \(mine\.softmax: it needs"):
        introduced(tmp_path, "def softmax(x, temperature): ...")


def test_a_file_that_ends_its_process_at_the_import_is_lost(tmp_path: Path) -> None:
    with pytest.raises(LostError, match="died at the import, with status 4"):
        introduced(tmp_path, "import os\nos._exit(4)")


def test_what_is_wrongly_declared_is_refused(tmp_path: Path) -> None:
    text = "from lossdiff.harness.own import implements\n@implements('softmx')\ndef f(x): ..."

    with pytest.raises(UserFileError, match=r"'softmx' is no operation; did you mean softmax\?"):
        introduced(tmp_path, text)
    with pytest.raises(DeclarationError, match="did you mean"):
        introduce(Setup("numpy", extra=("json:f=softmx",)), LIMITS)
