"""Scripts that show a verdict: run as their reader will run them, they show what they claim."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure
from lossdiff.harness.judging import Verdict
from lossdiff.harness.repro.script import Origin, write_script
from lossdiff.harness.repro.session import AnswerSelector, Session
from lossdiff.harness.repro.shrink import shrink
from lossdiff.harness.repro.trial import why_not_shown

HOSTILE = Path(__file__).parents[2] / "hostile"
EXTRA = {"numpy": tuple(str(HOSTILE / f"{name}.py") for name in ("answers", "deadly"))}
LINEAR = "linear_cross_entropy/index.some_ignored/float32/4x8x10"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
ALLOWED = {
    "numpy": {"numpy", "ml_dtypes", "scipy"},
    "torch": {"numpy", "torch"},
    "jax": {"numpy", "jax", "optax"},
    "tensorflow": {"numpy", "tensorflow", "keras"},
}


@dataclass(frozen=True)
class Finding:
    """A finding that a run has, and what a script must print of it."""

    framework: str
    case: str
    implementation: str
    quantity: str
    verdict: str
    prints: str
    mode: str = "eager"


FINDINGS = (
    Finding("numpy", "log_softmax/float32/4x10/exp_overflow/-/0",
            "numpy.textbook.log_softmax_unshifted", "value", "nonfinite",
            "value[0]: got -inf, exact -0.0, bound 3e-07  <-- wrong"),
    Finding("numpy", "exp/float32/4x10/exp_overflow/-/0", "numpy.exp", "gradient_logits",
            "nonfinite", "got -inf"),
    Finding("numpy", "sigmoid/bfloat16/4x10/normal/-/0", "numpy.textbook.sigmoid", "value",
            "mismatched", "dtype and shape ('float32', (1,)), due ('bfloat16', (1,))"),
    Finding("numpy", "softmax/float32/4x10/normal/-/0", "answers.softmax_returns_none", "value",
            "mismatched", "got NoneType"),
    Finding("numpy", "softmax/float32/4x10/normal/-/0", "answers.softmax_is_wrong", "value",
            "inaccurate", "  <-- wrong"),
    Finding("torch", "cross_entropy/index.some_ignored/float32/4x10/nan/-/0",
            "torch.nn.functional.cross_entropy", "gradient_logits", "nonfinite",
            "gradient_logits[1, 0]: got nan, exact 0.0, bound"),
    Finding("torch", "binary_cross_entropy/multi_label.binary/float16/4x10/probs_zero_one/-/0",
            "torch.nn.functional.binary_cross_entropy", "gradient_logits", "nonfinite",
            "gradient_logits[0, 0]: got nan"),
    Finding("torch", "cross_entropy/soft.soft_negative/bfloat16/4x10/normal/-/0",
            "torch.nn.functional.cross_entropy", "value", "accepted",
            "an error is due: a target probability outside [0, 1]"),
    Finding("torch", "logsumexp/float64/4x10/offset_1e7/-/0", "torch.logsumexp",
            "gradient_logits", "formula", "  <-- wrong"),
    Finding("torch", "nll_loss/index.random/float32/3x5x2/log_probs/-/0",
            "torch.textbook.nll_loss_by_indexing", "value", "raised", "raised IndexError('shape"),
    Finding("torch", f"{LINEAR}/nan_where_ignored/reduction=sum/0",
            "torch.nn.functional.linear_cross_entropy:auto", "value", "nonfinite",
            "value: got nan, exact 0.0"),
    Finding("torch", f"{LINEAR}/nan_where_ignored/linear_bias=normal/0",
            "torch.nn.functional.linear_cross_entropy", "gradient_linear_weight", "nonfinite",
            "gradient_linear_weight[0, 0]: got nan"),
    Finding("jax", "cross_entropy/one_hot.random/float32/4x10/neg_inf/-/0",
            "optax.losses.softmax_cross_entropy", "value", "nonfinite",
            "value: got nan, exact 0.0", "jit"),
    Finding("jax", "cross_entropy/index.too_large/float32/4x10/normal/-/0",
            "optax.losses.softmax_cross_entropy_with_integer_labels", "gradient_logits",
            "accepted", "an error is due: an index target out of range", "jit"),
    Finding("jax", "exp/bfloat16/4x10/exp_overflow/-/0", "jax.numpy.exp", "gradient_logits",
            "nonfinite", "got -inf", "jit"),
    Finding("tensorflow", "cross_entropy/soft.unnormalised/float32/4x10/one_large/-/0",
            "tf.nn.softmax_cross_entropy_with_logits", "gradient_logits", "inaccurate",
            "  <-- wrong"),
    Finding("tensorflow",
            "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/grid/-/0",
            "tf.nn.weighted_cross_entropy_with_logits", "gradient_logits", "inaccurate",
            "gradient_logits[0, 0]: got 0.625, exact 0.3125, bound", "function"),
)  # fmt: skip


@pytest.fixture(scope="module")
def asker_of() -> Iterator[Callable[[str], Session]]:
    """One asker for each framework, started when it is wanted."""
    with ExitStack() as stack:
        started: dict[str, Session] = {}

        def get(framework: str) -> Session:
            if framework not in started:
                extra = EXTRA.get(framework, ())
                started[framework] = stack.enter_context(Session(framework, extra=extra))
            return started[framework]

        yield get


def ran(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in an empty folder, without this environment's variables."""
    path = folder / "repro.py"
    path.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", path.name], cwd=folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def imports_of(text: str) -> set[str]:
    """Return the top-level packages that a script imports, beside the standard library."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names)


def shown(
    session: Session, case: Case, selector: AnswerSelector, verdict: Verdict, origin: str = ""
) -> str:
    """Return the script for a verdict on a case, or on what it was shrunk to."""
    return write_script(
        session, case, selector, verdict, Origin(origin or case.id, "0.1.0", is_shrunk=bool(origin))
    )


@pytest.mark.parametrize(
    "finding",
    [
        pytest.param(
            item,
            id=f"{item.implementation}-{item.quantity}",
            marks=pytest.mark.framework(item.framework),
        )
        for item in FINDINGS
    ],
)
def test_a_shrunk_script_shows_what_it_claims(
    asker_of: Callable[[str], Session], finding: Finding, tmp_path: Path
) -> None:
    session, case = asker_of(finding.framework), Case.parse(finding.case)
    selector = AnswerSelector(finding.implementation, finding.mode, finding.quantity)
    first = session.verdict(case, selector)
    assert first.word == finding.verdict
    small = shrink(session, case, selector, first)

    text = shown(session, small.case, selector, small.verdict, case.id)
    done = ran(text, tmp_path)

    assert done.returncode == 0, done.stderr
    assert finding.prints in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"reproduced: {finding.verdict}")
    assert "other bits" not in last
    assert imports_of(text) <= ALLOWED[finding.framework]
    assert f"# {finding.implementation}, {finding.quantity}: {finding.verdict}" in text
    assert f"in the case {case.id}, shrunk" in text
    assert small.case.inputs().values.size <= 6


@pytest.mark.framework("torch")
def test_one_call_is_pasted_as_one_call(asker_of: Callable[[str], Session]) -> None:
    session = asker_of("torch")
    case = Case.parse("cross_entropy/index.some_ignored/float32/4x10/nan/reduction=sum/0")
    selector = AnswerSelector("torch.nn.functional.cross_entropy", "eager", "gradient_logits")

    text = shown(session, case, selector, session.verdict(case, selector))

    assert 'value = F.cross_entropy(logits, target, reduction="sum")'.replace('"', "'") in text
    assert "def " not in text


@pytest.mark.framework("torch")
def test_a_script_of_a_whole_case_runs_too(
    asker_of: Callable[[str], Session], tmp_path: Path
) -> None:
    session = asker_of("torch")
    case = Case.parse("cross_entropy/index.random/float16/41000x5/zeros/-/0")
    selector = AnswerSelector("torch.nn.functional.cross_entropy", "eager", "value")

    done = ran(shown(session, case, selector, session.verdict(case, selector)), tmp_path)

    assert done.stdout.splitlines() == [
        "value: got inf, exact 1.6094379124341003, bound 0.0024  <-- wrong",
        "reproduced: nonfinite, the same bits",
    ]


def test_what_is_mended_is_not_reproduced(
    asker_of: Callable[[str], Session], tmp_path: Path
) -> None:
    session = asker_of("numpy")
    selector = AnswerSelector("answers.softmax_is_wrong", "eager", "value")
    text = shown(session, SOFTMAX, selector, session.verdict(SOFTMAX, selector))

    mended = text.replace("np.float32(0.01)", "np.float32(0)")
    done = ran(mended, tmp_path)

    assert mended != text
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "not reproduced"
    assert "<-- wrong" not in done.stdout
    assert why_not_shown(mended, "inaccurate") == "not reproduced"
    assert why_not_shown(text, "inaccurate") == ""


def test_many_elements_show_the_worst(asker_of: Callable[[str], Session], tmp_path: Path) -> None:
    session = asker_of("numpy")
    selector = AnswerSelector("answers.softmax_is_wrong", "eager", "value")

    done = ran(shown(session, SOFTMAX, selector, session.verdict(SOFTMAX, selector)), tmp_path)

    assert len(done.stdout.splitlines()) == 5


def test_a_script_that_dies_says_so_first(
    asker_of: Callable[[str], Session], tmp_path: Path
) -> None:
    session, selector = asker_of("numpy"), AnswerSelector("deadly.softmax_exits", "eager", "value")
    verdict = session.verdict(SOFTMAX, selector)

    text = shown(session, SOFTMAX, selector, verdict)
    done = ran(text, tmp_path)

    assert done.returncode == 7
    assert done.stdout == "the next call is said to kill the process (status 7)\n"
    assert why_not_shown(text, "crashed") == ""
    assert "still there" in why_not_shown(text.replace("os._exit(7)", "return 0"), "crashed")


def test_a_script_that_hangs_gives_up(
    deaf: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[write_script.__module__], "_HANGS", 1)
    verdict = Verdict("timed out", detail=Failure("timed out", "no answer within 10 s"))
    selector = AnswerSelector("endless.softmax_is_deaf", "eager", "value")

    done = ran(shown(deaf, SOFTMAX, selector, verdict), tmp_path)

    assert (done.returncode, done.stdout) == (0, "reproduced: nothing came back within 1 s\n")


def test_an_error_message_stays_in_its_comment(asker_of: Callable[[str], Session]) -> None:
    session = asker_of("numpy")
    selector = AnswerSelector("answers.softmax_raises_a_lone_surrogate", "eager", "value")

    text = shown(session, SOFTMAX, selector, session.verdict(SOFTMAX, selector))

    assert text.encode()
    assert why_not_shown(text, "raised") == ""


def test_an_error_of_another_kind_is_not_reproduced(asker_of: Callable[[str], Session]) -> None:
    session, selector = (
        asker_of("numpy"),
        AnswerSelector("answers.softmax_raises", "eager", "value"),
    )

    text = shown(
        session,
        SOFTMAX,
        selector,
        Verdict("raised", detail=Failure("raised", "IndexError: no", "IndexError")),
    )

    assert why_not_shown(text, "raised") == "not reproduced: another error"


@pytest.mark.framework("torch")
def test_the_second_derivative_of_torch(asker_of: Callable[[str], Session]) -> None:
    assert_same_bits(asker_of("torch"), "torch.textbook.sigmoid", "eager", "hvp_logits")


@pytest.mark.framework("jax")
def test_the_second_derivative_of_jax(asker_of: Callable[[str], Session]) -> None:
    assert_same_bits(asker_of("jax"), "jax.textbook.sigmoid", "jit", "hvp_logits")


@pytest.mark.framework("tensorflow")
def test_the_second_derivative_with_xla(asker_of: Callable[[str], Session]) -> None:
    assert_same_bits(asker_of("tensorflow"), "tf.textbook.sigmoid", "xla", "hvp_logits")


def assert_same_bits(session: Session, implementation: str, mode: str, quantity: str) -> None:
    """A script gets the number that was judged; whether it is wrong is another matter."""
    case = Case.parse("sigmoid/float32/4x10/grid/-/0")
    selector = AnswerSelector(implementation, mode, quantity)
    verdict = session.verdict(case, selector)

    done = subprocess.run(
        [sys.executable, "-I", "-"], input=shown(session, case, selector, verdict),
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip

    assert verdict.where
    assert f"{quantity}{verdict.where}: got {verdict.got}," in done.stdout, done.stderr
