"""Check the losses of packages through the adapters of `examples/wild`, and write what was found.

Each adapter is asked by a `lossdiff check` of its own. The table of what was found, a line for each
cause, replaces the one in `docs/wild.md` with `--page`, and is printed without it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lossdiff.harness.runfile import RunFile
from lossdiff.reports.markdown import table
from lossdiff.reports.outcome import outcome_of

ROOT = Path(__file__).parents[1]
ADAPTERS = ROOT / "examples" / "wild"
BEGIN, END = "<!-- the table that scripts/wild.py writes -->", "<!-- its end -->"
_LINES = 4  # of each adapter: the worst causes


@dataclass(frozen=True)
class Wild:
    """A package whose losses are checked.

    Attributes:
        package: its name on PyPI.
        version: the release that was looked at.
        framework: the framework whose arrays its losses take.
        adapter: the file in `examples/wild`.
    """

    package: str
    version: str
    framework: str
    adapter: str

    @property
    def installed(self) -> str:
        """The version that is installed; empty if none is."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""


WILD = (
    Wild("numpyro", "0.22.0", "jax", "numpyro_losses.py"),
    Wild("objax", "1.8.0", "jax", "objax_losses.py"),
    Wild("jaxopt", "0.8.5", "jax", "jaxopt_losses.py"),
    Wild("rax", "0.4.0", "jax", "rax_losses.py"),
    Wild("scikit-learn", "1.9.1", "numpy", "sklearn_losses.py"),
    Wild("paddlepaddle", "3.3.1", "numpy", "paddle_losses.py"),
    Wild("timm", "1.0.31", "torch", "timm_losses.py"),
    Wild("monai", "1.6.1", "torch", "monai_losses.py"),
    Wild("fastai", "2.8.12", "torch", "fastai_losses.py"),
    Wild("torchvision", "0.29.1", "torch", "torchvision_losses.py"),
    Wild("kornia", "0.9.0", "torch", "kornia_losses.py"),
    Wild("segmentation-models-pytorch", "0.6.0", "torch", "smp_losses.py"),
    Wild("transformers", "5.24.0", "torch", "transformers_losses.py"),
    Wild("catalyst", "22.4", "torch", "catalyst_losses.py"),
    Wild("focal-loss", "0.0.7", "tensorflow", "focal_loss_losses.py"),
)


def check(item: Wild, out: Path) -> tuple[Path, str]:
    """Check one package; return its run file, and the error where there is none.

    Args:
        item: the package.
        out: the folder of the run files.
    """
    run = out / f"{Path(item.adapter).stem}.sqlite"
    place = f"{item.framework}={ADAPTERS / item.adapter}"
    # A torchvision with CUDA beside a PyTorch without needs a little help; see the file there.
    paths = [str(ROOT / "scripts" / "wild_cpu"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "lossdiff", "check", "--mode", "eager", "--impl", place, "-o", run],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return run, "" if done.returncode in (0, 1) else done.stderr.strip().splitlines()[-1]


def rows_of(item: Wild, run: Path, error: str) -> Iterator[list[str]]:
    """Yield the lines of the table about one package."""
    name = f"{item.package} {item.installed}"
    if error:
        yield [name, "", "", f"not asked: {error}", "", ""]
        return
    with RunFile.open(run) as opened:
        causes = outcome_of(opened).causes
    for function, tally in causes.tallies.items():
        shown = function.name.partition(".")[2]
        mine = [it for it in causes if it.function == function and it.kind == "finding"]
        for cause in mine[:_LINES]:
            row = cause.plainest
            place = f"{row.quantity} {row.where}".strip()
            example = f"{place}: {row.exact} → {row.got}" if row.exact or row.got else row.note
            yield [name, shown, str(tally.questions), cause.what, example, row.case]
        if not mine:
            yield [name, shown, str(tally.questions), "no finding of its own", "", ""]
        elif len(mine) > _LINES:
            yield [name, shown, "", f"and {len(mine) - _LINES} further causes", "", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", help="only these")
    parser.add_argument("--out", type=Path, default=Path("lossdiff-out/wild"), help="run files")
    parser.add_argument("--page", action="store_true", help="write the table into docs/wild.md")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = [item for item in WILD if not given.packages or item.package in given.packages]
    rows = [row for item in chosen for row in rows_of(item, *check(item, given.out))]
    columns = ["package", "function", "questions", "what", "right → given", "case"]
    text = table(columns, rows)
    if not given.page:
        print(text)
        return
    page = ROOT / "docs" / "wild.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
