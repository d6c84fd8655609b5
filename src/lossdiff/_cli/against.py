"""Find out whether the Python of another environment can be asked and timed beside this one."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from ..errors import BenchError

_TIMEOUT = 60.0  # seconds in which an interpreter has to say what it has
_PROBE = """
import json, sys
from importlib import metadata, util
try:
    version = metadata.version("lossdiff")
except metadata.PackageNotFoundError:
    version = ""
sys.stdout.write(json.dumps([version, util.find_spec("pytest_benchmark") is not None]))
"""


def interpreter_of(text: str) -> str:
    """Return the path of an interpreter that has this version of lossdiff, and pytest-benchmark.

    Args:
        text: the path or the name of an interpreter, or the folder of its environment.

    Raises:
        BenchError: there is none, or it lacks one of the two.
    """
    place = Path(text)
    found = str(place / "bin" / "python") if place.is_dir() else shutil.which(text)
    if found is None or not Path(found).is_file():
        wanted = "the Python of another environment, such as .venv-base/bin/python"
        raise BenchError(f"--against takes {wanted}; {text} is none")
    path = str(Path(found).absolute())  # not resolved: a link tells the environment
    try:
        done = subprocess.run(
            [path, "-P", "-c", _PROBE], capture_output=True, text=True, timeout=_TIMEOUT, check=True
        )
        version, has_benchmark = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError) as error:
        raise BenchError(f"{text} does not run as Python 3.11 or newer does") from error
    ours = metadata.version("lossdiff")
    if version != ours or not has_benchmark:
        has = f"lossdiff {version}" if version else "no lossdiff"
        lack = has if version != ours else "no pytest-benchmark"
        install = f"{path} -m pip install 'lossdiff[bench]=={ours}'"
        raise BenchError(f"{text} has {lack}, and both sides are asked by the same: {install}")
    return path
