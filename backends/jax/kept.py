"""Keep what JAX compiles in a process of the user's, for the next process that checks the same.

JAX compiles each operator for each dtype and shape, and a check in Python asks few questions of
each: most of its time is that of the compiler. JAX's own cache on disk is switched on for the time
of the check, in a folder that is the user's alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from operator import itemgetter
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

_MOST = 2**26  # bytes; a check of one function adds about one hundred files of 8 kB
_OTHERS = 0o022  # the modes with which others may write
_DIRECTORY = "jax_compilation_cache_dir"
_SETTINGS = {
    _DIRECTORY: None,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@contextmanager
def kept_in(folder: str) -> Iterator[None]:
    """Keep what is compiled in a `with` statement, where the user has set up no cache.

    Args:
        folder: where it is kept; nothing is where it is empty, cannot be written, or belongs to
            somebody else: what lies there is run.
    """
    is_wanted = jax.config.jax_enable_compilation_cache and not jax.config.jax_compilation_cache_dir
    if not folder or not is_wanted or not _is_usable(Path(folder)):
        yield
        return
    before = {name: getattr(jax.config, name) for name in _SETTINGS}
    _set({**_SETTINGS, _DIRECTORY: folder})
    try:
        yield
    finally:
        _set(before)


def _set(settings: dict[str, object]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX looks at the settings once only


@cache
def _is_usable(folder: Path) -> bool:
    """Return whether a folder can be used, which is made if it is missing, and freed if full."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        _free(folder)
    except OSError:
        return False
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & _OTHERS):
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _free(folder: Path) -> None:
    """Remove the oldest half of the files of a folder that has become too large."""
    files = []
    for path in folder.iterdir():
        with suppress(OSError):  # another process may remove it
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    if sum(size for _, size, _ in files) <= _MOST:
        return
    for _, _, path in sorted(files, key=itemgetter(0))[: (len(files) + 1) // 2]:
        with suppress(OSError):
            path.unlink()
