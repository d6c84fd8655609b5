"""Import a file or a module of a user's own implementations."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ...errors import UserFileError
from ..answers import one_line


def module_name(place: str) -> str:
    """Return the name under which a file or a module is imported.

    Files are imported below a package name of their own: a file called random.py must not replace
    the standard library's `random`.

    >>> module_name("here/mine.py"), module_name("package.losses")
    ('lossdiff_user.mine', 'package.losses')
    """
    return f"lossdiff_user.{Path(place).stem}" if place.endswith(".py") else place


def import_user_file(place: str) -> ModuleType:
    """Import a file by its path, or a module by its name.

    Args:
        place: a path that ends in `.py`, or the name of a module.

    Raises:
        UserFileError: the import raises anything, `SystemExit` included.
    """
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        name = module_name(place)
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None  # noqa: S101 -- a .py file always has a loader
        assert spec.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except BaseException as error:  # a script may call sys.exit when it is imported
        raise UserFileError(f"{place} cannot be imported: {one_line(error)}") from error
    else:
        return module
