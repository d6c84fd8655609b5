"""The scripts of the repository, which no package holds, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(place: str) -> ModuleType:
    """Load a file of `scripts`."""
    name = Path(place).stem
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
