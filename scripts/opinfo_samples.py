"""Record which calls PyTorch's own tests make of the operations of the contract.

`torch.testing` describes each operation by samples (`OpInfo`). Their shapes and options are written
to `tests/api/opinfo_samples.json`, where `tests/api/test_opinfo.py` asks each of them. PyTorch's
module of samples needs `pip install expecttest`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db

OUT = Path(__file__).parents[1] / "tests" / "api" / "opinfo_samples.json"
NAMES = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "logsumexp": "logsumexp",
    "exp": "exp",
    "sigmoid": "sigmoid",
    "nn.functional.logsigmoid": "log_sigmoid",
    "nn.functional.nll_loss": "nll_loss",
    "nn.functional.cross_entropy": "cross_entropy",
    "nn.functional.binary_cross_entropy": "binary_cross_entropy",
    "nn.functional.binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
}
# What comes by position after the first argument.
PLACES = {"softmax": ["dim"], "log_softmax": ["dim"], "logsumexp": ["dim", "keepdim"]}
OF_LOSSES = ["target", "weight"]
RENAMED = {"dim": "axis"}


def samples() -> Iterator[dict[str, Any]]:
    """Yield a record of each sample in float64."""
    for op in op_db:
        if op.name not in NAMES:
            continue
        operation = NAMES[op.name]
        for sample in op.sample_inputs("cpu", torch.float64):
            result = op(sample.input, *sample.args, **sample.kwargs)
            places = PLACES.get(operation, OF_LOSSES)
            given = dict(zip(places, sample.args, strict=False)) | sample.kwargs
            yield {
                "operation": operation,
                "shape": list(sample.input.shape),
                "given": {RENAMED.get(name, name): plain(it) for name, it in given.items()
                          if it is not None},
                "result": list(result.shape),
            }  # fmt: skip


def plain(value: Any) -> Any:
    """Return an array as its shape and kind, a dtype as its name, and all else as it is."""
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "is_whole": not value.is_floating_point()}
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    return value


def main() -> None:
    """Write the file: a line for each different sample, with how often it comes."""
    counts = Counter(json.dumps(it, sort_keys=True) for it in samples())
    lines = (json.dumps({"times": times, **json.loads(text)}) for text, times in counts.items())
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{sum(counts.values())} samples, {len(counts)} different: {OUT}")


if __name__ == "__main__":
    main()
