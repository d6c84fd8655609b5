"""What listens at the address of a scheduler may be anything: one line within ten seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from lossdiff.harness.workers import Cluster
from lossdiff.harness.workers import dask as module

from lossdiff.errors import ClusterError

pytestmark = pytest.mark.cluster
SAID = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "a huge frame": (2**62).to_bytes(8, "little") * 8,
}
ADDRESSES = {
    "tls://127.0.0.1:9": "TypeError: TLS expects",
    "ucx://127.0.0.1:9": "",
    "zmq://127.0.0.1:9": "",
    "inproc://1/2/3": "",
    "tcp://127.0.0.1": "",
    "scheduler": "",
    "tcp://": "",
}


@pytest.fixture
def listens() -> Iterator[Callable[[bytes | None], str]]:
    """Listen at a port, and send some bytes to whoever connects; nothing is not even accepted."""
    sockets: list[socket.socket] = []

    def answer(server: socket.socket, content: bytes) -> None:
        while True:
            try:
                connection, _ = server.accept()
                sockets.append(connection)
                connection.sendall(content)
            except OSError:
                return

    def listen(content: bytes | None) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        if content is not None:
            threading.Thread(target=answer, args=(server, content), daemon=True).start()
        return f"tcp://127.0.0.1:{server.getsockname()[1]}"

    yield listen
    for each in sockets:
        each.close()


def refusal(address: str) -> str:
    with pytest.raises(ClusterError) as raised:
        Cluster(address)
    line = str(raised.value)
    assert line.startswith(f"no Dask scheduler answers at {address}")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("kind", SAID)
def test_another_protocol_is_no_scheduler(
    listens: Callable[[bytes | None], str], kind: str
) -> None:
    refusal(listens(SAID[kind]))


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_dask_cannot_use_is_refused(address: str) -> None:
    assert ADDRESSES[address] in refusal(address)


def test_a_port_that_never_answers_is_not_waited_for(
    listens: Callable[[bytes | None], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONNECT", 0.5)
    begun = time.monotonic()

    refusal(listens(None))

    assert time.monotonic() - begun < 5


def test_what_does_not_return_is_left_alone() -> None:
    with pytest.raises(TimeoutError):
        module._within(-0.9, threading.Event().wait)
