"""Import a file or a module of a user's, as Python would if it were run from where it is.

The file's own folder and the current one are searched for what it imports, before what is
installed, but never instead of Python's own modules. A file in a package is imported as a part of
it. A file that is in none has the name of the file, unless another module has that name already.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from ...errors import UserFileError
from ..answers import one_line
from .places import Place
from .tracebacks import own_traceback


class _Folders(MetaPathFinder):
    """Finds modules in the folders of users' files."""

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.files: dict[str, ModuleType] = {}  # files that are imported under other names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None if it is in none of the folders, or in a package."""
        if path is not None or name in sys.stdlib_module_names:
            return None
        found = PathFinder.find_spec(name, self.folders, target)
        if found is None or found.origin in self.files:
            return None  # a file `optax.py` that imports `optax` does not mean itself
        # A mere folder, without `__init__.py`, does not hide an installed package of its name.
        is_folder = found.loader is None or found.origin is None
        return None if is_folder and PathFinder.find_spec(name) else found

    def add(self, folder: Path) -> None:
        """Search a folder, too."""
        if self not in sys.meta_path:
            sys.meta_path.insert(_place_of_path_finder(), self)
        if str(folder) not in self.folders:
            self.folders.append(str(folder))
            importlib.invalidate_caches()

    def prefer(self, folder: Path) -> None:
        """Search a folder first, and import again what lies there and was found in another.

        Two files of users may each have a `helpers.py` beside them. What another file has imported
        stays its own.
        """
        self.add(folder)
        self.folders.remove(str(folder))
        self.folders.insert(0, str(folder))
        own = {id(module) for module in self.files.values()}
        tops = {name for name in sys.modules if "." not in name and _is_in(folder, name)}
        others = {name for name in tops if folder_of(name) not in ("", str(folder))}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in others and id(module) not in own:
                del sys.modules[name]
        importlib.invalidate_caches()


FOLDERS = _Folders()


def _is_in(folder: Path, name: str) -> bool:
    """Return whether a module or a package of a name is in a folder."""
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _place_of_path_finder() -> int:
    """Return the place of what searches `sys.path`, behind Python's own modules."""
    return sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)


def folder_of(name: str) -> str:
    """Return the folder that a top-level module was found in because a user's file is there.

    Args:
        name: the name of the module; the folder is empty if it is installed, or not imported.
    """
    module = sys.modules.get(name)
    file, paths = getattr(module, "__file__", None), getattr(module, "__path__", None)
    for folder in map(Path, FOLDERS.folders):
        is_file = file in (str(folder / f"{name}.py"), str(folder / name / "__init__.py"))
        if is_file or (file is None and str(folder / name) in list(paths or ())):
            return str(folder)
    return ""


def load_module(place: Place) -> ModuleType:
    """Import the file or the module of a place; what is imported already is not imported again.

    Raises:
        UserFileError: the import raises anything, `SystemExit` included. It has the traceback.
    """
    file = place.file
    if file is not None and not file.is_file():
        raise UserFileError(f"there is no file {place.source}")
    try:
        with _as_a_script(file):
            FOLDERS.add(Path.cwd())
            if file is None:
                return importlib.import_module(place.source)
            return _load_file(file.resolve())
    except UserFileError:
        raise
    except BaseException as error:  # a script may call sys.exit when it is imported
        line = f"{place.source} cannot be imported: {one_line(error)}{_hint(error, file)}"
        raise UserFileError(line, own_traceback(error)) from error


@contextmanager
def _as_a_script(file: Path | None) -> Iterator[None]:
    """Give a file the command line of a script without arguments, which it may read."""
    before = sys.argv
    sys.argv = [str(file or "")]
    try:
        yield
    finally:
        sys.argv = before


def _load_file(file: Path) -> ModuleType:
    root, package = _package_of(file)
    FOLDERS.add(file.parent)
    if package:
        return _load_part(root, f"{package}.{file.stem}", file)
    known = FOLDERS.files.get(str(file))
    if known is not None:
        return known
    loaded = sys.modules.get(file.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    FOLDERS.prefer(file.parent)
    name = _free_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # noqa: S101 -- a .py file always has a loader
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    FOLDERS.files[str(file)] = sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del FOLDERS.files[str(file)]
        sys.modules.pop(name, None)
        raise
    return module


def _load_part(root: Path, name: str, file: Path) -> ModuleType:
    """Import a file as a part of its package.

    Raises:
        UserFileError: another package of this name has been imported.
    """
    FOLDERS.add(root)
    name = name.removesuffix(".__init__")
    top = sys.modules.get(name.partition(".")[0])
    if top is None and name.partition(".")[0] in sys.stdlib_module_names:
        raise UserFileError(f"{file}: its package has the name of one of Python's own modules")
    module = importlib.import_module(name)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != file:
        raise UserFileError(f"{file} is in a package {name}, but {found} has that name, too")
    return module


def _package_of(file: Path) -> tuple[Path, str]:
    """Return the folder that a file's package is in, and the package's name; empty for none.

    A package is a chain of folders with `__init__.py`. A file that imports relatively is in one,
    too, where the folders have none.
    """
    folder, names = file.parent, list[str]()
    depth = _relative_levels(file)
    while (folder / "__init__.py").is_file() or len(names) < depth:
        if folder == folder.parent:
            break
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def _relative_levels(file: Path) -> int:
    """Return from how many folders up a file imports at most; 0 if it does not."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return 0  # its import says what is wrong
    return max((it.level for it in ast.walk(tree) if isinstance(it, ast.ImportFrom)), default=0)


def _free_name(file: Path) -> str:
    """Return the name of a file's module: its stem, unless that is another module's.

    A file `random.py` must replace neither Python's `random` nor an installed package.
    """
    name = file.stem
    if name not in sys.stdlib_module_names and name not in sys.modules:
        found = PathFinder.find_spec(name)
        if found is None or found.loader is None or found.origin == str(file):
            return name
    number, free = 1, f"user_{name}"
    while free in sys.modules:
        number += 1
        free = f"user_{name}_{number}"
    return free


def _hint(error: BaseException, file: Path | None) -> str:
    """Return what may help with an import that fails, or nothing."""
    name = getattr(error, "name", None)
    if isinstance(error, ModuleNotFoundError) and name:
        searched = " and ".join(dict.fromkeys(map(str, [*([file.parent] if file else []), "."])))
        return f" (searched: {searched}, and what is installed)"
    return ""
