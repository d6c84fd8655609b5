"""What JAX compiles in a check in Python is kept for the next one, and where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.framework("jax")
SIZES = iter(range(1001, 2000))  # each test compiles something that no other one has compiled


def compiled_within(folder: Path) -> list[Path]:
    """Return the files of a folder after something was compiled, and what it is set up as."""
    import jax
    from lossdiff.backends.jax.kept import kept_in

    with kept_in(str(folder)):
        jax.numpy.exp(jax.numpy.ones(next(SIZES))).block_until_ready()
    return sorted(folder.glob("jit*")) if folder.is_dir() else []


def test_what_is_compiled_is_kept_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "compiled"

    assert compiled_within(folder)
    assert folder.stat().st_mode & 0o077 == 0


def test_what_the_user_has_set_up_is_as_before(tmp_path: Path) -> None:
    import jax

    before = dict(jax.config.values)
    compiled_within(tmp_path / "ours")

    assert dict(jax.config.values) == before


def test_a_cache_of_the_users_own_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path / "mine"))

    assert compiled_within(tmp_path / "ours") == []


def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    assert compiled_within(tmp_path) == []


def test_where_no_folder_can_be_made_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file is no folder")

    assert compiled_within(tmp_path / "file" / "compiled") == []


def test_a_full_folder_loses_the_oldest_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from lossdiff.backends.jax import kept

    monkeypatch.setattr(kept, "_MOST", 30)
    tmp_path.chmod(0o700)
    for age in range(4):
        path = tmp_path / f"file{age}"
        path.write_bytes(bytes(10))
        os.utime(path, (1000 - age, 1000 - age))
    compiled_within(tmp_path)

    assert sorted(path.name for path in tmp_path.glob("file*")) == ["file0", "file1"]


def test_a_variable_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from lossdiff._api.frameworks import backend_of

    assert Path(backend_of("jax").kept).name == "compiled-in-python"
    monkeypatch.setenv("LOSSDIFF_NO_CACHE", "1")
    assert backend_of("jax").kept == ""
