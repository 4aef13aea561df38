"""Plain TCP and TLS: tests of connections run over both, with servers that follow `use`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import cache
from pathlib import Path
from typing import Any

import trustme

import http_server
from openai_realtime_client import testing

_AUTHORITY = trustme.CA()
_is_tls = False


def use(is_tls: bool) -> None:
    """Let servers that start from now on speak TLS, or not."""
    global _is_tls
    _is_tls = is_tls


def write_authority(path: Path) -> None:
    """Write what clients are to trust."""
    _AUTHORITY.cert_pem.write_to_path(str(path))


def scheme(name: str) -> str:
    """`ws` or `http`, with an `s` if it is TLS."""
    return f"{name}s" if _is_tls else name


def context() -> ssl.SSLContext | None:
    """What a server gives to asyncio."""
    return _server_context() if _is_tls else None


@cache
def _server_context() -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _AUTHORITY.issue_cert("127.0.0.1", "localhost").configure_cert(found)
    return found


class HttpServer(http_server.HttpServer):
    """The HTTP server, over the transport in use."""

    @property
    def url(self) -> str:
        return super().url.replace("http", scheme("http"))

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if not (tls := context()):
            return connection, address
        # The handshake is made when the thread of the request reads.
        options = {"server_side": True, "do_handshake_on_connect": False}
        return tls.wrap_socket(connection, **options), address

    def handle_error(self, *args: Any) -> None:
        pass


class ReplayServer(testing.ReplayServer):
    """The embedded server, over the transport in use."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ssl=context(), **options)


class Wire:
    """The bytes of one end of a server's connection, of which nothing is read ahead."""

    def __init__(self) -> None:
        tls = context()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = tls and tls.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def open(self, connection: socket.socket) -> None:
        """Make the handshake of TLS."""
        loop = asyncio.get_running_loop()
        while self._object:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(connection, self._outgoing.read())
                self._incoming.write(await loop.sock_recv(connection, 2**16))
            else:
                return await loop.sock_sendall(connection, self._outgoing.read())

    def decoded(self, data: bytes) -> bytes:
        """What the client sent as `data`."""
        if not self._object:
            return data
        self._incoming.write(data)
        found = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while chunk := self._object.read(2**20):
                found += chunk
        return bytes(found)

    def encoded(self, data: bytes) -> bytes:
        """How `data` is sent."""
        if not self._object:
            return data
        self._object.write(data)
        return self._outgoing.read()
