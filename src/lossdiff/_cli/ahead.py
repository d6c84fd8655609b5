"""Start the process that a command will need, before the command itself is imported.

Nothing heavy is imported here. What is not understood at a glance is left to the command, which
starts its processes then; a process that it does not ask for is ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from platformdirs import user_cache_path

from ..harness.launch import Hint, launch_ahead

COMPILED = "compiled"  # the folder of what workers compile, in that of the user's caches
# Options that say something else of the process, or that no process is started here.
_OTHERS = ("-h", "--help", "--device", "--mode", "--scheduler", "--version")


def cache_folder(*, is_kept: bool = True) -> str:
    """Return the folder in which workers keep what they compile; empty for none."""
    return str(user_cache_path("lossdiff") / COMPILED) if is_kept else ""


def start_ahead(arguments: Sequence[str]) -> None:
    """Start the process in which a user's functions are got to know, if a command will ask for it.

    Args:
        arguments: the command and its arguments.
    """
    if (hint := hint_of(arguments)) is not None:
        launch_ahead(hint)


def hint_of(arguments: Sequence[str]) -> Hint | None:
    """Return what the first process of a command is for; None where that is not seen.

    >>> hint_of(["check", "--impl", "torch=mine.py", "--no-cache"]).framework
    'torch'
    >>> hint_of(["check", "--impl", "torch=mine.py", "--device", "gpu"])
    """
    if not arguments or arguments[0] != "check":
        return None
    if any(name.partition("=")[0] in _OTHERS for name in arguments):
        return None
    frameworks = {name for name in map(_framework_of, _values(arguments, "--impl")) if name}
    if len(frameworks) != 1:
        return None
    return Hint(frameworks.pop(), cache=cache_folder(is_kept="--no-cache" not in arguments))


def _values(arguments: Sequence[str], option: str) -> Iterator[str]:
    for place, name in enumerate(arguments):
        if name == option:
            yield from arguments[place + 1 : place + 2]
        elif name.startswith(f"{option}="):
            yield name.removeprefix(f"{option}=")


def _framework_of(given: str) -> str:
    framework, sign, _ = given.partition("=")
    return framework if sign else ""
