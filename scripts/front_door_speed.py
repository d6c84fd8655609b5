"""Measure how long one check in Python takes beyond the import of its framework.

`python scripts/front_door_speed.py` asks functions of a user's, in this process, the suite `quick`,
and prints the seconds of each beside the limits: 3 for one function and operation, 15 for ten.
Each framework has a process of its own, in which it is imported, and has computed one gradient,
before the clock starts; our own import is on the clock.

Then it runs `lossdiff check --impl FRAMEWORK=mine.py` on the same function, with nothing compiled
before, and prints the seconds of the whole command beside its limit, 6. CPU seconds, which other
jobs on the machine affect less, are those of all processes.

`python scripts/front_door_speed.py torch jax` measures these frameworks only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE, TEN, CHECK = 3.0, 15.0, 6.0
_WARM = {
    "numpy": "import numpy, scipy.special",
    "torch": "import torch; x = torch.ones(3, requires_grad=True); "
    "torch.autograd.grad(x.softmax(0), x, torch.ones(3))",
    "jax": "import jax, optax; jax.grad(lambda x: jax.nn.softmax(x)[0])(jax.numpy.ones(3))",
    "tensorflow": "import tensorflow as tf; tf.nn.softmax([1.0])",
}
_OWN = {
    "numpy": """
def cross_entropy(logits, target, reduction="mean"):
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - numpy.log(numpy.exp(shifted).sum(1, keepdims=True))
    rows = -numpy.take_along_axis(log_p, target[:, None], 1)[:, 0]
    return {"none": rows, "mean": rows.mean(), "sum": rows.sum()}[reduction]
def softmax(x, axis=-1):
    e = numpy.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)
""",
    "torch": """
import torch.nn.functional as F
def cross_entropy(logits, target, weight=None, ignore_index=-100, label_smoothing=0.0,
                  reduction="mean"):
    return F.cross_entropy(logits, target, weight, ignore_index=ignore_index,
                           label_smoothing=label_smoothing, reduction=reduction)
def softmax(x, dim=-1):
    return F.softmax(x, dim)
""",
    "jax": """
import jax.numpy as jnp
def cross_entropy(logits, target, reduction="mean"):
    log_p = jax.nn.log_softmax(logits, 1)
    rows = -jnp.take_along_axis(log_p, target[:, None], 1)[:, 0]
    return {"none": lambda: rows, "mean": rows.mean, "sum": rows.sum}[reduction]()
def softmax(x, axis=-1):
    return jax.nn.softmax(x, axis)
""",
    "tensorflow": """
def cross_entropy(logits, target, reduction="mean"):
    rows = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
    reduce = {"none": tf.identity, "mean": tf.reduce_mean, "sum": tf.reduce_sum}
    return reduce[reduction](rows)
def softmax(x, axis=-1):
    return tf.nn.softmax(x, axis)
""",
}
_IMPORTS = {
    "numpy": "import numpy",
    "torch": "import torch",
    "jax": "import jax",
    "tensorflow": "import tensorflow as tf",
}
_TIMED = """
import time
begin, cpu = time.perf_counter(), time.process_time()
import lossdiff
asked = 0
for name in {names}:
    result = lossdiff.check_implementation(globals()[name], name, framework={framework!r})
    asked += result.questions
print(time.perf_counter() - begin, time.process_time() - cpu, asked)
"""


def in_process(framework: str, names: list[str]) -> str:
    """Return a line about the check of some functions in a process of their own."""
    timed = _TIMED.format(names=names, framework=framework)
    code = "\n".join([_WARM[framework], _OWN[framework], timed])
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    whole = time.perf_counter() - began
    seconds, cpu, asked = map(float, done.stdout.split()[-3:])
    limit = ONE if len(names) == 1 else TEN
    return (
        f"{framework:12} {len(names):2} {seconds:6.2f} s, {seconds / limit:5.2f} of the limit; "
        f"CPU {cpu:.2f} s; {asked:.0f} questions; {whole:.1f} s with imports"
    )


def by_command(framework: str) -> str:
    """Return a line about `lossdiff check --impl`.

    Raises:
        RuntimeError: the command ended with another status than 0 and 1.
    """
    own = _OWN[framework][: _OWN[framework].index("def softmax")]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine.py").write_text(f"{_IMPORTS[framework]}\n{own}", encoding="utf-8")
        command = [sys.executable, "-m", "lossdiff", "check", "--impl", f"{framework}=mine.py",
                   "-o", "mine.sqlite", "--no-cache"]  # fmt: skip
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds, after = time.perf_counter() - began, os.times()
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    cpu = sum(after[2:4]) - sum(before[2:4])
    share = seconds / CHECK
    return f"{framework:12} check {seconds:6.2f} s, {share:5.2f} of the limit; CPU {cpu:.2f} s"


def main() -> None:
    """Print the lines of each framework."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("frameworks", nargs="*", help=f"of {', '.join(_OWN)}; all if none is named")
    chosen = parser.parse_args().frameworks or list(_OWN)
    for framework in chosen:
        if framework not in _OWN:
            parser.error(f"{framework} is none of {', '.join(_OWN)}")
    print(f"limits: {ONE:g} s for one, {TEN:g} s for ten, {CHECK:g} s for the command")
    for framework in chosen:
        print(in_process(framework, ["cross_entropy"]), flush=True)
        print(in_process(framework, ["cross_entropy", "softmax"] * 5), flush=True)
        print(by_command(framework), flush=True)


if __name__ == "__main__":
    main()
