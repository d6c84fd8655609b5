"""Write and read frames on a pipe: a mark, the number of a request, a length, and that many bytes.

Both ends use it. What it needs of `os` it takes at its import: a function that is evaluated may
replace that of the module.
"""

from __future__ import annotations

import struct
from os import read, write

_HEAD = struct.Struct("<4sQQ")
_MARK = b"loss"  # what else is written to the pipe, by a function that found it, is no frame
_LARGEST = 2**32  # bytes
_CHUNK = 2**20  # bytes that are read at once


def write_frame(descriptor: int, request: int, data: bytes) -> None:
    """Write a frame.

    Args:
        descriptor: the end of the pipe that is written to.
        request: the number of a request.
        data: the bytes.

    Raises:
        OSError: nobody reads the pipe.
    """
    for part in (_HEAD.pack(_MARK, request, len(data)), data):
        left = memoryview(part)
        while left:
            left = left[write(descriptor, left) :]


def read_frame(descriptor: int) -> tuple[int, bytes] | None:
    """Read a frame.

    Args:
        descriptor: the end of the pipe that is read from.

    Returns:
        The number of the request and the bytes; None if the pipe is closed, in the middle of a
        frame too, or holds something else.
    """
    head = _read(descriptor, _HEAD.size)
    if head is None:
        return None
    mark, request, size = _HEAD.unpack(head)
    if mark != _MARK or size > _LARGEST:
        return None
    data = _read(descriptor, size)
    return None if data is None else (request, data)


def _read(descriptor: int, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = read(descriptor, min(size - len(parts), _CHUNK))
        except OSError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)
