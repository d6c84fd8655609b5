"""The worker, asked in this process: whatever an implementation does becomes an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import DeviceAbsentError
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness import worker
from lossdiff.harness.observation import Failure, Observation
from lossdiff.harness.worker import Setup, UserFileError, load

HOSTILE = Path(__file__).parents[1] / "hostile"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
INDEX = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")
SOFT = Case.parse("cross_entropy/soft.soft/float32/4x10/normal/-/0")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask one implementation one case, with a user's files of NumPy functions beside NumPy's."""

    def ask(
        name: str, case: Case = SOFTMAX, *, extra: Path = HOSTILE / "answers.py"
    ) -> Observation:
        backend = load(Setup("numpy", extra=(str(extra),)))
        monkeypatch.setattr(worker, "_backend", lambda: backend)
        (observation,) = worker.ask([(name, "eager", case)])
        return observation

    return ask


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


# --- answers ---------------------------------------------------------------------------------


def test_a_right_answer_has_a_value_and_a_gradient(asked: Any) -> None:
    observation = asked("answers.softmax")

    assert (SOFTMAX.id, "answers.softmax", "eager") == (
        observation.case, observation.implementation, observation.mode
    )  # fmt: skip
    assert observation.answers.keys() == {"value", "gradient_logits"}
    np.testing.assert_allclose(observation.answers["value"].sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(observation.answers["gradient_logits"].sum(1), 0, atol=1e-6)
    assert {array.dtype for array in observation.answers.values()} == {np.dtype(np.float32)}
    assert observation.seconds > 0
    assert observation.warnings == ""


def test_a_soft_target_has_a_gradient_too(asked: Any) -> None:
    answers = asked("numpy.recipes.cross_entropy", SOFT).answers

    assert list(answers) == ["value", "gradient_logits", "gradient_target"]
    assert [answer.shape for answer in answers.values()] == [(), (4, 10), (4, 10)]


def test_the_tutorials_are_asked_for_values_alone(asked: Any) -> None:
    worked = next(case for case in suite("worked").cases if case.operation == "softmax")

    assert asked("numpy.recipes.softmax", worked).answers.keys() == {"value"}


def test_an_option_reaches_the_function(asked: Any) -> None:
    case = Case.parse("softmax/float32/4x10/normal/axis=0/0")

    np.testing.assert_allclose(asked("answers.softmax", case).answers["value"].sum(0), 1, 1e-6)


def test_an_error_where_an_error_is_right_is_an_answer(asked: Any) -> None:
    case = Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0")

    value = asked("numpy.recipes.cross_entropy", case).answers["value"]

    assert isinstance(value, Failure)
    assert value.kind == "raised"


def test_of_huge_arrays_only_the_judged_rows_come_back(asked: Any) -> None:
    case = Case.parse("softmax/float32/300x5000/normal/-/0")
    assert case.judged_rows < 300

    assert asked("answers.softmax", case).answers["value"].shape == (case.judged_rows, 5000)


WRONG = {
    "returns_none": "mismatched",
    "returns_none_with_gradient": "mismatched",
    "returns_a_list": "mismatched",
    "returns_a_text": "mismatched",
    "returns_a_number": "mismatched",
    "returns_two": "mismatched",
    "returns_objects": "mismatched",
    "returns_texts": "mismatched",
    "returns_complex_numbers": "mismatched",
    "returns_records": "mismatched",
    "raises": "raised",
    "leaves": "raised",
    "interrupts": "raised",
    "raises_a_base_exception": "raised",
    "ends_a_generator": "raised",
    "raises_the_unprintable": "raised",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_array_and_what_is_raised_is_a_failure(asked: Any, name: str) -> None:
    value = asked(f"answers.softmax_{name}").answers["value"]

    assert isinstance(value, Failure)
    assert value.kind == WRONG[name]
    assert value.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "ValueError: first line"),
        ("raises_without_a_word", "ValueError: no message"),
        ("raises_the_unprintable", "UnprintableError: its message cannot be read"),
        ("leaves", "SystemExit: 0"),
        ("returns_none", "TypeError: returned NoneType, not a NumPy array"),
        ("returns_two", "TypeError: returned tuple, not a NumPy array"),
        ("returns_objects", "dtype object, which holds no real numbers"),
        ("returns_complex_numbers", "dtype complex128, which holds no real numbers"),
    ],
)
def test_a_failure_says_in_one_line_what_happened(asked: Any, name: str, message: str) -> None:
    assert asked(f"answers.softmax_{name}").answers["value"].message == message


def test_a_long_message_is_cut(asked: Any) -> None:
    assert len(asked("answers.softmax_raises_at_length").answers["value"].message) == 300


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [("in_double", "float64", (4, 10)), ("of_the_first_row", "float32", (10,))],
)
def test_another_dtype_and_another_shape_reach_the_judge(
    asked: Any, name: str, dtype: str, shape: tuple[int, ...]
) -> None:
    value = asked(f"answers.softmax_{name}").answers["value"]

    assert (dtype, shape) == (value.dtype, value.shape)


def test_an_input_that_is_changed_in_place_is_changed_for_that_function_alone(asked: Any) -> None:
    before = SOFTMAX.inputs().values.copy()

    changed, unchanged = (
        asked(f"answers.softmax{name}").answers["value"] for name in ("_changes_its_input", "")
    )

    np.testing.assert_array_equal(before, SOFTMAX.inputs().values)
    np.testing.assert_allclose(changed, unchanged, rtol=1e-6)


def test_warnings_are_kept_once_each_in_one_line(asked: Any) -> None:
    assert asked("answers.softmax_warns").warnings == "be careful"


# --- gradients -------------------------------------------------------------------------------


def test_without_a_gradient_by_hand_the_gradient_is_unsupported(asked: Any) -> None:
    answers = asked("answers.softmax_without_a_gradient_by_hand").answers

    assert answers["value"].shape == (4, 10)
    assert answers["gradient_logits"].kind == "unsupported"
    assert "no gradient is written" in answers["gradient_logits"].message


def test_a_gradient_that_is_not_written_is_no_finding_where_the_value_is_one(asked: Any) -> None:
    assert asked("answers.softmax_raises").answers["gradient_logits"].kind == "unsupported"


def test_a_gradient_by_hand_is_asked(asked: Any) -> None:
    answers = asked("answers.softmax_with_a_wrong_gradient").answers

    np.testing.assert_array_equal(SOFTMAX.cotangent((4, 10)), answers["gradient_logits"])


def test_a_gradient_that_fails_leaves_the_value(asked: Any) -> None:
    answers = asked("answers.softmax_with_a_failing_gradient").answers

    assert answers["value"].shape == (4, 10)
    assert answers["gradient_logits"] == Failure("raised", "ArithmeticError: the gradient is lost")


@pytest.mark.framework("torch")
def test_a_value_that_is_cut_from_its_inputs_raises_for_the_gradient_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = user_file(tmp_path, "def softmax(logits):\n    return logits.detach() * 1\n")
    backend = load(Setup("torch", extra=(place,)))
    monkeypatch.setattr(worker, "_backend", lambda: backend)

    (observation,) = worker.ask([("mine.softmax", "eager", SOFTMAX)])

    assert isinstance(observation.answers["value"], np.ndarray)
    assert observation.answers["gradient_logits"].kind == "raised"


@pytest.mark.framework("torch")
def test_none_as_a_value_is_a_mismatch_in_a_framework_with_gradients_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = user_file(tmp_path, "def softmax(logits):\n    logits.softmax(-1)\n")
    backend = load(Setup("torch", extra=(place,)))
    monkeypatch.setattr(worker, "_backend", lambda: backend)

    (observation,) = worker.ask([("mine.softmax", "eager", SOFTMAX)])

    value = observation.answers["value"]
    assert isinstance(value, Failure)
    assert (value.kind, value.message) == (
        "mismatched", "TypeError: returned NoneType, not torch.Tensor"
    )  # fmt: skip


# --- a user's file ---------------------------------------------------------------------------


def test_a_file_says_how_its_functions_are_named_and_what_they_take() -> None:
    backend = load(Setup("numpy", extra=(str(HOSTILE / "claims.py"),)))

    claims = {found.name: found.claim for found in backend.extra}

    assert claims.keys() == {"acme.CrossEntropy", "acme.losses.log_softmax_of_acme"}
    assert claims["acme.CrossEntropy"].targets == {"index", "one_hot"}
    assert claims["acme.CrossEntropy"].options == {"reduction"}
    assert claims["acme.losses.log_softmax_of_acme"].options == {"axis"}
    assert {claim.kind for claim in claims.values()} == {"user"}


def test_a_function_of_a_file_is_asked_like_any_other(asked: Any) -> None:
    mine = asked("acme.CrossEntropy", INDEX, extra=HOSTILE / "claims.py").answers["value"]
    ours = asked("numpy.recipes.cross_entropy", INDEX).answers["value"]

    np.testing.assert_allclose(mine, ours, rtol=1e-6)


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


def test_the_catalogue_holds_claims_and_versions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load_backend("numpy")
    monkeypatch.setattr(worker, "_backend", lambda: backend)

    offered = worker.catalogue()

    assert {claim.name for claim in offered.claims} == backend.implementations.keys()
    assert offered.environment["versions"].keys() == {"numpy", "scipy", "ml_dtypes"}
    assert offered.environment.keys() >= {"python", "device", "threads"}
