"""A run file that no framework made: every verdict, four frameworks, hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES, Options, TargetKind
from lossdiff.cases.stored import worked_examples
from lossdiff.harness.causes import causes_of_findings
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import (
    DomainRow,
    ExampleAnswerRow,
    ExampleRow,
    RelationRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
)
from lossdiff.harness.runfile.timing_rows import TimingRow

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
NEW = {"torch.compile.broken_softmax", HOSTILE}
FRAMEWORKS = {
    "numpy": ("numpy 2.4.6", "eager", "scipy.special"),
    "torch": ("torch 2.13.0", "compile", "torch.nn.functional"),
    "jax": ("jax 0.10.2", "jit", "jax.nn"),
    "tensorflow": ("tensorflow 2.21.0", "xla", "tf.nn"),
}
FAMILIES = ("normal", "normal_100", "offset_1e7", "exp_overflow", "neg_inf", "nan", "subnormal")
OPERATIONS = ("softmax", "log_softmax", "logsumexp", "cross_entropy")
VERDICTS = (
    "exact", "faithful", "within bound", "refused", "flushed", "order", "formula", "narrow",
    "convention:mean_over_rows", "inaccurate", "nonfinite", "accepted", "raised", "mismatched",
    "crashed", "timed out", "unsupported", "relation:shift", "nondeterministic",
)  # fmt: skip


def make(path: Path, *, scale: int = 1) -> Path:
    """Write the sample; `scale` multiplies the cases."""
    with RunFile.create(path) as run:
        run.set_meta(command="lossdiff check --suite quick", suite="quick", seed="0",
                     started="2026-11-22T10:00:00+00:00")  # fmt: skip
        run.add(list(verdicts(scale)))
        run.add(list(worked()))
        run.add([*relations(), *kept(), *repeated()])
        run.add(list(domains()))
        run.add(list(timings()))
        run.add(workers())
        run.add(list(examples(scale)))
    return path


def empty(path: Path) -> Path:
    """Write a run that holds nothing."""
    RunFile.create(path).close()
    return path


def examples(scale: int = 1) -> Iterator[ExampleRow | ExampleAnswerRow]:
    """Yield an example of each cause, every text of which is hostile."""
    for cause in causes_of_findings(verdicts(scale)):
        row = cause.plainest
        who = (row.implementation, row.framework, row.kind, row.mode, row.device)
        yield ExampleRow(
            cause.id, row.case, row.case, *who, row.quantity, row.verdict, {HOSTILE: HOSTILE},
            HOSTILE,
        )  # fmt: skip
        for name in (row.implementation, HOSTILE):
            yield ExampleAnswerRow(cause.id, HOSTILE, name, *who[1:], row.verdict, HOSTILE)


def cases(operation: str, scale: int = 1) -> Iterator[Case]:
    """Yield cases of all families and dtypes."""
    kind: TargetKind | None = "index" if operation == "cross_entropy" else None
    target = "random" if kind else ""
    for seed in range(scale):
        for dtype in DTYPES:
            for family in FAMILIES:
                if family != "offset_1e7" or dtype != "float16":
                    yield Case(operation, family, (4, 12), dtype, kind, target, seed=seed)
        if kind:
            yield Case(operation, "normal", (4, 12), "float32", kind, "too_large", seed=seed)
            options = Options(ignore_index=0, reduction="mean")
            yield Case(operation, "normal", (4, 12), "float32", kind, "all_ignored", options, seed)


def verdicts(scale: int = 1) -> Iterator[VerdictRow]:
    """Yield the verdicts: mostly right, textbook formulas broken, something of everything."""
    number = 0
    for framework, (_, mode, prefix) in FRAMEWORKS.items():
        for operation in OPERATIONS:
            for case in cases(operation, scale):
                for name, kind in (
                    (f"{prefix}.{operation}", "native"),
                    (f"{framework}.recipes.{operation}_weighted", "recipe"),
                    (f"{framework}.textbook.{operation}_unshifted", "textbook"),
                ):
                    number += 1
                    row = replace(
                        _row(case),
                        implementation=name,
                        framework=framework,
                        kind=kind,
                        mode=mode,
                        quantity="gradient_logits",
                    )
                    verdict = _verdict(row, number)
                    yield _judged(replace(row, quantity="value"), verdict)
                    yield _judged(row, "within bound" if kind == "native" else verdict)
    for number, verdict in enumerate(VERDICTS):
        case = next(iter(cases("softmax")))
        name = sorted(NEW)[number % 2]
        row = _judged(replace(_row(case), implementation=name), verdict)
        note = row.note if verdict == "nondeterministic" else HOSTILE
        yield replace(row, known=False, note=note, family=HOSTILE)


def _row(case: Case) -> VerdictRow:
    """Return a verdict on a case, by a function that is not there."""
    return VerdictRow(
        case.id,
        case.operation,
        case.target_kind,
        case.family,
        "x".join(map(str, case.shape)),
        case.dtype,
        case.options.given(),
        implementation="",
        framework="torch",
        kind="native",
        mode="eager",
        device="cpu",
        quantity="value",
        verdict="exact",
    )


def _verdict(row: VerdictRow, number: int) -> str:
    if row.kind == "textbook" and row.family in ("normal_100", "exp_overflow", "offset_1e7"):
        return "nonfinite"
    if "all_ignored" in row.case:
        return f"convention:undefined_{'nan' if row.framework == 'torch' else 'zero'}"
    if "too_large" in row.case:
        return {"torch": "refused", "jax": "accepted"}.get(row.framework, "raised")
    if row.family == "subnormal" and row.framework in ("jax", "tensorflow"):
        return "flushed"
    if row.family == "offset_1e7" and row.operation == "cross_entropy":
        return "formula"
    return ("exact", "faithful", "faithful", "within bound")[number % 4]


def _judged(row: VerdictRow, verdict: str) -> VerdictRow:
    """Return the row with figures that fit its verdict."""
    row = replace(row, verdict=verdict, where="(1, 3)", ulp=0.4, ratio=0.3, abs_error=1e-9)
    if verdict == "nonfinite":
        return replace(row, known=True, ulp=None, ratio=None, exact="-221.48", got="nan",
                       note="breaks by design: exp overflows without a shift")  # fmt: skip
    if verdict in ("nondeterministic", "relation:shift"):
        same = verdict == "nondeterministic"
        return replace(row, ulp=None, ratio=float("inf") if same else 12.5, abs_error=2.4e-7,
                       note="with one thread" if same else "",
                       exact="" if same else "0.25", got="" if same else "0.5")  # fmt: skip
    if verdict in ("flushed", "order", "formula", "narrow"):
        ratio = 3.0 + len(row.case) % 40 * 1.7
        return replace(row, ratio=ratio, ulp=812.0, note=f"explained by {verdict}")
    if verdict.startswith("convention:"):
        got = "nan" if verdict.endswith("nan") else "0.0"
        return replace(row, where="", exact="no agreed answer", got=got)
    if verdict in ("inaccurate", "accepted", "raised", "mismatched", "crashed", "timed out"):
        sized = verdict == "inaccurate"
        return replace(row, known=verdict == "accepted", ulp=4.2e6 if sized else None,
                       ratio=81234.5 if sized else None, exact="1.0986122886681098",
                       got="0.0" if sized else "", note=f"this one was {verdict}")  # fmt: skip
    return row


def worked() -> Iterator[WorkedRow]:
    """Yield answers to the worked examples; JAX misses the first."""
    for number, example in enumerate(worked_examples().values()):
        for framework, (_, mode, prefix) in FRAMEWORKS.items():
            agrees = framework != "jax" or number > 0
            yield WorkedRow(
                example.name, example.source, example.operation, f"{prefix}.{example.operation}",
                framework, "native", mode, "float32", example.expected.tolist(),
                example.expected.tolist() if agrees else "nan", agrees, HOSTILE,
            )  # fmt: skip


def relations() -> Iterator[RelationRow]:
    """Yield the three equivalences; one does not hold."""
    for relation, left, right in (
        ("sigmoid(z) = softmax([0, z])", "sigmoid", "softmax"),
        ("nll_loss(log_softmax(x)) = cross_entropy(x)", "recipes.by_nll", "cross_entropy"),
        ("index target = its one-hot encoding", "cross_entropy", "cross_entropy"),
    ):
        for framework, (_, mode, _) in FRAMEWORKS.items():
            agrees = (relation[:5], framework) != ("index", "torch")
            yield RelationRow(relation, left, right, framework, mode, "float32", 40, 2.4e-7,
                              0.31 if agrees else 12.5, agrees)  # fmt: skip


def kept() -> Iterator[RelationRow]:
    """Yield relations: kept, kept by an explanation in one mode, not kept."""
    for framework, (_, mode, prefix) in FRAMEWORKS.items():
        for name, note, agrees in (
            (f"{prefix}.softmax", "", True),
            (f"{prefix}.logsumexp", "formula", True),
            (f"{framework}.textbook.softmax_unshifted", "", False),
            (HOSTILE, "", framework != "jax"),
        ):
            for way in dict.fromkeys(("eager", mode)):
                ratio = 0.5 if agrees else 12.5 if name == HOSTILE else float("inf")
                yield RelationRow(
                    "shift", name, name, framework, way, "float32", 10, ratio * 1e-7, ratio, agrees,
                    note if way == "eager" else "",
                )  # fmt: skip


def repeated() -> Iterator[RelationRow]:
    """Yield calls that were repeated; one gives other bits with one thread."""
    for relation in ("again", "threads"):
        for framework, (_, _, prefix) in FRAMEWORKS.items():
            yield RelationRow(relation, f"{prefix}.softmax", f"{prefix}.softmax", framework,
                              "eager", "float32", 30, 0.0, 0.0, True)  # fmt: skip
    yield RelationRow("threads", min(NEW), min(NEW), "torch", "eager", "float16", 30,
                      2.4e-7, float("inf"), False, "with one thread")  # fmt: skip


def domains() -> Iterator[DomainRow]:
    """Yield searches: native functions hold, textbook formulas break, fp16 counts too far."""
    for framework, (_, mode, prefix) in FRAMEWORKS.items():
        for way in dict.fromkeys(("eager", mode)):
            for operation in ("softmax", "cross_entropy"):
                for sweep in ("offset", "spread"):
                    held = search(f"{prefix}.{operation}", framework, operation, way, sweep)
                    yield (
                        replace(held, leaves_bound_at=42.63, left_by="flushed")
                        if (framework == "jax")
                        else held
                    )
                    book = f"{framework}.textbook.{operation}_unshifted"
                    end = 88.73 if framework != "jax" else 40.64
                    yield broken(replace(held, implementation=book, kind="textbook"), end)
    asked = search("torch.softmax_over_axis_0", "torch", "softmax", "eager", "spread")
    for dtype, asked_to in (("float16", 1e4), ("float32", 1e30)):
        row = replace(asked, kind="textbook", dtype=dtype, asked_to=asked_to)
        yield from (broken(replace(row, sweep=sweep), 1.0) for sweep in ("offset", "spread"))
    counted = search(HOSTILE, "torch", "softmax", "eager", "classes")
    yield broken(replace(counted, dtype="float16", asked_to=131072.0), 65520.0)
    yield replace(counted, dtype="bfloat16", asked_to=131072.0)


def search(name: str, framework: str, operation: str, mode: str, sweep: str) -> DomainRow:
    """Return a search that found no end."""
    return DomainRow(name, framework, "native", operation, mode, "cpu", "float32", sweep,
                     None, "", None, "", "", "", 1e30)  # fmt: skip


def broken(row: DomainRow, at: float) -> DomainRow:
    """Return a search that found its end."""
    return replace(row, leaves_bound_at=at, left_by="nonfinite", breaks_at=at,
                   broken_by="nonfinite", quantity="gradient_logits",
                   case=f"softmax/float32/4x10/{row.sweep}@{at:g}/-/0")  # fmt: skip


def timings() -> Iterator[TimingRow]:
    """Yield timings of two shapes; one answer is wrong, and the fastest."""
    for rows, classes in ((64, 1000), (8, 50000)):
        case = Case("cross_entropy", "normal", (rows, classes), "float32", "index", "random")
        for number, (framework, (_, mode, prefix)) in enumerate(FRAMEWORKS.items()):
            for direction, factor in (("forward", 1.0), ("forward+backward", 2.6)):
                median = (number * 0.7 + 0.4) * factor * rows * classes * 1e-9
                wrong = framework == "numpy" and direction == "forward"
                yield TimingRow(
                    case.id, case.operation, f"{prefix}.cross_entropy", framework, "native", mode,
                    "cpu", "float32", f"{rows}x{classes}", direction, "one", "cold",
                    median, median * 0.95, median * 1.1, median / 12, median * 0.9, 120, 3,
                    0.4 * factor, "value", rows * classes * 4, 1.2e10, None,
                    4 * rows * classes if mode == "jit" else None, "xla" if mode == "jit" else "",
                    "inaccurate" if wrong else "within bound", not wrong,
                )  # fmt: skip


def workers() -> list[WorkerRow]:
    """Return four workers, and a GPU that was not there."""
    present = [
        WorkerRow(
            name,
            "cpu",
            {
                "versions": dict([version.split()]),
                "device": "cpu",
                "threads": 8,
                "flags": {"XLA_FLAGS": ""},
            },
        )
        for name, (version, _, _) in FRAMEWORKS.items()
    ]
    return [*present, WorkerRow("torch", "gpu", {}, f"torch sees no GPU {HOSTILE}")]
