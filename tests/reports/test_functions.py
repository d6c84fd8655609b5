"""All about one function: shares, causes, reasons and accuracy in one place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile import RunFile, VerdictRow
from lossdiff.reports.html import render

RIGHT = VerdictRow(
    "cross_entropy/index.random/float32/4x10/normal/-/0", "cross_entropy", "index", "normal",
    "4x10", "float32", {}, "optax.losses.softmax_cross_entropy_with_integer_labels", "jax",
    "native", "eager", "cpu", "value", "exact", ulp=0.5, ratio=0.25,
)  # fmt: skip
OFFSET = replace(
    RIGHT, case=RIGHT.case.replace("normal", "offset_1e7"), family="offset_1e7",
    verdict="formula", ulp=4e6, ratio=68080.0, exact="2.5", got="2.0",
)  # fmt: skip
INVALID = replace(
    RIGHT, case=RIGHT.case.replace("random", "too_large"), quantity="gradient_logits",
    verdict="accepted", known=True, ledger="bad-index-leaves-a-gradient",
)  # fmt: skip
BOOK = replace(RIGHT, implementation="jax.textbook.cross_entropy", kind="textbook")
SCIPY = replace(RIGHT, implementation="scipy.special.softmax", framework="numpy")


def section(path: Path, *rows: VerdictRow) -> str:
    with RunFile.create(path / "run.sqlite") as run:
        run.add(list(rows))
        page = render([run])
    return page.partition('id="functions"')[2].partition("</section>")[0]


def test_a_function_leads_to_its_causes_its_reasons_and_its_accuracy(tmp_path: Path) -> None:
    found = section(tmp_path, RIGHT, OFFSET, INVALID)

    assert "3 answers: 1 right, 1 explained, 1 wrong." in found
    assert 'href="#cause-bad-index-leaves-a-gradient"' in found
    assert "offset_1e7; up to 68,080 times the bound: right 2.5, given 2.0" in found
    assert "worst 4.00×10⁶ ulp, 68,080 times the bound" in found


def test_textbook_formulas_are_left_out_and_packages_have_their_names(tmp_path: Path) -> None:
    found = section(tmp_path, RIGHT, BOOK, SCIPY)

    assert "jax.textbook" not in found.replace("<wbr>", "")
    assert found.index('data-framework="SciPy"') < found.index('data-framework="Optax"')
