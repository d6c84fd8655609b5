"""A process that imports users' files forgets them after each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.harness.own.loading import FOLDERS


@pytest.fixture(autouse=True)
def forgotten(tmp_path: Path) -> Iterator[None]:
    """Forget the modules that a test has written, and the folders that it has searched."""
    folders, files = list(FOLDERS.folders), dict(FOLDERS.files)
    yield
    for name, module in list(sys.modules.items()):
        places = [vars(module).get(key) for key in ("__file__", "__path__")]
        if str(tmp_path) in str(places):
            del sys.modules[name]
    FOLDERS.folders[:] = folders
    FOLDERS.files.clear()
    FOLDERS.files.update(files)
