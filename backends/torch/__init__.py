"""PyTorch: the adapter, and one file of implementations for each namespace."""

from __future__ import annotations

from ..framework import EAGER, INTERPRET, Framework, Library, Mode

FRAMEWORK = Framework(
    "torch",
    __name__,
    imports=("torch",),
    extra="torch",
    modes=(
        Mode(EAGER),
        Mode("compile", compiler="inductor", dtypes=("float32",)),
        Mode(
            INTERPRET,
            variables={"TRITON_INTERPRET": "1"},
            lacks={"bfloat16": "Triton's interpreter rounds to it toward zero, and adds its bits"},
            most=20_000,
        ),
    ),
    weight=1,
    libraries=(
        Library(
            "PyTorch",
            names=("torch.*",),
            main=(
                "torch.nn.functional.binary_cross_entropy*",
                "torch.nn.functional.*",
                "torch.exp",
                "torch.logsumexp",
                "torch.recipes.*",
            ),
        ),
        Library("Liger", names=("liger_kernel.*",), main=("liger_kernel.*",)),
    ),
    guests={"liger": "liger_kernel"},
    benchmarked=(
        "torch.nn.functional.softmax",
        "torch.nn.functional.log_softmax",
        "torch.nn.functional.cross_entropy",
        "torch.nn.functional.binary_cross_entropy_with_logits",
        "torch.nn.functional.linear_cross_entropy",
        "torch.nn.functional.linear_cross_entropy:accurate",
        "torch.nn.functional.linear_cross_entropy:compact",
        "torch.recipes.linear_cross_entropy",
    ),
    cached={"TORCHINDUCTOR_CACHE_DIR": "{folder}", "TORCHINDUCTOR_FX_GRAPH_CACHE": "1"},
    uncached={"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"},
)
