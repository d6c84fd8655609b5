"""The worker in this process: a framework with a user's own files, and what it offers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Observation
from lossdiff.harness.workers.messages import BatchRequest, Catalogue, Question, Setup
from lossdiff.harness.workers.process import WorkerProcess, load, start
from lossdiff.harness.workers.wire import BatchReply, decode, encode, unpack_observation

from lossdiff.errors import DeviceAbsentError, UserFileError

HOSTILE = Path(__file__).parents[2] / "hostile"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
INDEX = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")
GRID = Case.parse("softmax/float32/4x10/grid/-/0")


def user_file(folder: Path, text: str, name: str = "mine.py") -> str:
    """Write a user's file."""
    path = folder / name
    path.write_text(text)
    return str(path)


def refused(folder: Path, text: str, name: str = "mine.py") -> str:
    """Return how a user's file is refused, in one line that names it."""
    place = user_file(folder, text, name)
    with pytest.raises(UserFileError) as error:
        load(Setup("numpy", extra=(place,)))
    line = str(error.value)
    assert "\n" not in line
    assert place in line
    return line


# --- a user's file ---------------------------------------------------------------------------


def test_a_file_says_how_its_functions_are_named_and_what_they_take() -> None:
    backend = load(Setup("numpy", extra=(str(HOSTILE / "claims.py"),)))

    claims = {found.name: found.claim for found in backend.extra}

    assert claims.keys() == {"acme.CrossEntropy", "acme.losses.log_softmax_of_acme"}
    assert claims["acme.CrossEntropy"].targets == {"index", "one_hot"}
    assert claims["acme.CrossEntropy"].options == {"reduction"}
    assert claims["acme.losses.log_softmax_of_acme"].options == set()  # it takes any keyword
    assert {claim.kind for claim in claims.values()} == {"user"}


def asked(setup: Setup, *questions: Question) -> list[Observation]:
    """Ask a worker in this process; return what the judging process reads from its reply."""
    reply = WorkerProcess(setup).batch(BatchRequest(questions), lambda _: None)
    read = decode(encode(reply), BatchReply)
    return list(map(unpack_observation, read.observations, questions))


def test_a_function_of_a_file_is_asked_like_any_other() -> None:
    setup = Setup("numpy", extra=(str(HOSTILE / "claims.py"),))
    names = ("acme.CrossEntropy", "numpy.recipes.cross_entropy")

    mine, ours = asked(setup, *(Question(name, "eager", INDEX) for name in names))

    assert (mine.implementation, ours.implementation) == names
    np.testing.assert_allclose(mine.answers["value"], ours.answers["value"], rtol=1e-6)


def test_a_module_that_is_installed_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HOSTILE)
    monkeypatch.delitem(sys.modules, "claims", raising=False)

    backend = load(Setup("numpy", extra=("claims",)))

    assert "acme.CrossEntropy" in backend.implementations


def test_a_file_named_like_a_module_does_not_take_its_place(tmp_path: Path) -> None:
    import colorsys

    place = user_file(tmp_path, "def softmax(logits):\n    return logits\n", "colorsys.py")

    backend = load(Setup("numpy", extra=(place,)))

    assert sys.modules["colorsys"] is colorsys
    assert "colorsys.softmax" in backend.implementations


BAD_FILES = {
    "a syntax error": ("def softmax(:", "cannot be imported: SyntaxError: invalid syntax (mine.py"),
    "a missing import": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such"),
    "an error": ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
    "an exit": ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
    "an interrupt": ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt: no mess"),
    "no functions": ("x = 1", "holds no function named after an operation"),
    "nearly a name": ("def softmax2(x): ...", "holds no function named after an operation"),
    "attributes that exit": (
        "import sys\ndef softmax(x): ...\ndef __getattr__(name): sys.exit()",
        "SystemExit: no message",
    ),
    "only a gradient": ("def softmax_vjp(c, x): ...", "holds no function named after an operatio"),
    "a text as targets": (
        "targets = {'cross_entropy': 'index'}\ndef cross_entropy(x, y): ...",
        "targets['cross_entropy'] is 'index'; it must be a set of index, one_hot, soft",
    ),
    "an unknown target": (
        "targets = {'cross_entropy': {'onehot'}}\ndef cross_entropy(x, y): ...",
        "targets['cross_entropy'] is {'onehot'}; it must be a set of index, one_hot, soft",
    ),
    "a name that is taken": (
        "namespace = 'scipy.special'\ndef softmax(x): ...",
        "a second function is named scipy.special.softmax",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    text, expected = BAD_FILES[kind]

    assert expected in refused(tmp_path, text)


def test_two_files_with_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = "def softmax(logits): ..."
    places = (user_file(tmp_path, text), user_file(tmp_path / "other", text))

    with pytest.raises(UserFileError, match=r"a second function is named mine\.softmax"):
        load(Setup("numpy", extra=places))


def test_a_module_that_is_not_installed_is_refused() -> None:
    with pytest.raises(UserFileError, match="no_such cannot be imported: ModuleNotFoundError"):
        load(Setup("numpy", extra=("no_such",)))


def test_a_device_that_is_not_there_is_absent() -> None:
    with pytest.raises(DeviceAbsentError, match="NumPy has no GPU"):
        load(Setup("numpy", device="gpu"))


def test_the_catalogue_holds_claims_and_versions_only() -> None:
    backend = load_backend("numpy")

    offered = decode(encode(WorkerProcess(Setup("numpy")).catalogue()), Catalogue)

    assert {claim.name for claim in offered.claims} == backend.implementations.keys()
    assert offered.environment["versions"].keys() == {"numpy", "scipy", "ml_dtypes"}
    assert offered.environment.keys() >= {"python", "device", "threads"}


# --- questions -------------------------------------------------------------------------------


def test_questions_are_answered_in_their_order() -> None:
    questions = [
        Question("scipy.special.softmax", "eager", SOFTMAX),
        Question("numpy.recipes.cross_entropy", "eager", INDEX),
        Question("numpy.recipes.softmax", "eager", SOFTMAX),
    ]

    found = asked(Setup("numpy"), *questions)

    assert questions == [(item.implementation, item.mode, Case.parse(item.case)) for item in found]


def test_only_what_is_probed_is_asked_more_closely() -> None:
    name = "numpy.recipes.softmax"

    questions = [Question(name, "eager", SOFTMAX), Question(name, "eager", GRID)]
    plain, probed = asked(Setup("numpy"), *questions)

    assert plain.probe is None
    assert plain.answers.keys() == {"value", "gradient_logits"}
    assert probed.probe.forms.keys() >= {"shift", "permutation", "sums"}
    assert probed.answers.keys() == {"value", "gradient_logits", "hvp_logits"}


# --- the start of a process ------------------------------------------------------------------


THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start this process as a worker, without what cannot be taken back."""
    cores: list[Any] = []
    for name in (*THREADS, "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "as it was")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2, 3}, raising=False)
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda _, chosen: cores.append(chosen), raising=False
    )

    def begin(setup: Setup) -> tuple[list[str], list[Any]]:
        start(setup)
        return [os.environ[name] for name in THREADS], cores

    return begin


def test_a_worker_may_use_as_many_threads_as_the_framework_likes(started: Any) -> None:
    assert started(Setup("numpy")) == (["as it was"] * 4, [])


def test_a_worker_of_one_thread_has_one_core_too(started: Any) -> None:
    assert started(Setup("numpy", threads=1)) == (["1"] * 4, [[2]])


@pytest.mark.parametrize(("before", "after"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_leave_the_cores_to_the_other_workers(
    started: Any, monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    if before:
        monkeypatch.setenv("OMP_WAIT_POLICY", before)

    started(Setup("numpy"))

    assert os.environ["OMP_WAIT_POLICY"] == after


@pytest.mark.parametrize(("device", "visible"), [("cpu", ""), ("gpu", "as it was")])
def test_a_worker_on_the_cpu_sees_no_gpu(started: Any, device: str, visible: str) -> None:
    started(Setup("numpy", device=device))

    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
