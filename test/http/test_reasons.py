"""What an error of HTTP says: which server or proxy, and why; and that every call ends."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme

from exposure import KEY
from http_calls import assert_no_answer, exchange, failure
from http_server import HttpServer
from openai_realtime_client import (
    ApiConnectionError,
    Configuration,
    ForbiddenError,
    MissingDependencyError,
)
from openai_realtime_client.http import rest

# Seconds: how long a call may take, and by when it must have ended on a busy machine.
TIMEOUT, SOON = 0.3, 15.0
LOOPBACK = "127.0.0.1"


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give each connection to `serve` and close it then. The value is the port."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def run() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer, suppress(OSError):
                        serve(peer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(SOON)


# Calls that end


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks_of_an_error", "header", "interim_responses"],
)
def test_response_that_never_ends_is_a_timeout(head: bytes, drop: bytes) -> None:
    has_ended = threading.Event()

    def drip(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(head)
        while not has_ended.wait(0.02):
            peer.sendall(drop)

    with serving(drip) as port:
        configuration = Configuration(f"http://{LOOPBACK}:{port}", KEY, timeout=TIMEOUT)
        error = failure(configuration, ApiConnectionError)
        has_ended.set()
    assert "timed out" in str(error)


def test_name_that_does_not_resolve_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(SOON))
    configuration = Configuration("https://service.invalid", KEY, timeout=TIMEOUT)
    error = failure(configuration, ApiConnectionError)
    assert not released.is_set()
    released.set()
    assert str(error) == (
        "POST failed: no response from service.invalid:443: timed out after 0.3 s"
    )


def test_dead_address_leaves_time_for_the_next(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[tuple[str, float]]()
    connect = socket.socket.connect

    class Socket(socket.socket):
        def connect(self, address: tuple[str, int]) -> None:
            tried.append((address[0], self.gettimeout() or 0))
            if address[0] != LOOPBACK:
                raise TimeoutError
            connect(self, address)

    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.server_port))
        for address in ("192.0.2.1", LOOPBACK)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(socket, "socket", Socket)
    url = f"http://service.invalid:{server.server_port}"
    exchange(server, Configuration(url, "", timeout=SOON))
    assert [address for address, _ in tried] == ["192.0.2.1", LOOPBACK]
    assert tried[0][1] <= SOON / 2


# Reasons


def test_refused_connection() -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind((LOOPBACK, 0))
        where = f"{LOOPBACK}:{closed.getsockname()[1]}"
        error = failure(Configuration(f"http://{where}", KEY), ApiConnectionError)
        proxied = Configuration(f"https://{ELSEWHERE}", "", proxy=f"http://{where}")
        of_proxy = failure(proxied, ApiConnectionError)
    assert str(error) == f"POST failed: no response from {where}: [Errno 111] Connection refused"
    assert str(of_proxy).endswith(": the proxy failed: [Errno 111] Connection refused")
    assert_no_answer(error)


@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        ({}, "unable to get local issuer certificate"),
        ({"not_after": datetime(2020, 1, 1, tzinfo=timezone.utc)}, "certificate has expired"),
        ({"common_name": "other"}, "IP address mismatch"),
    ],
    ids=["unknown_authority", "expired", "other_host"],
)
def test_certificate_that_is_not_accepted(
    issued: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    host = "other.example" if "common_name" in issued else LOOPBACK
    authority.issue_cert(host, **issued).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authorities = str(tmp_path / "ca.pem") if issued else None
    with serving(lambda peer: context.wrap_socket(peer, server_side=True).close()) as port:
        url = f"https://{LOOPBACK}:{port}"
        error = failure(Configuration(url, KEY, ca_certs=authorities), ApiConnectionError)
    assert f"{LOOPBACK}:{port}" in str(error)
    assert f"certificate verify failed: {reason}" in str(error)


# Proxies

# An address that documentation has: nobody answers there.
ELSEWHERE = "192.0.2.1"


def answering(status: str, asked: list[bytes]) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        asked.append(peer.recv(65536))
        peer.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return serve


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway"])
def test_status_of_a_proxy_that_refuses(status: str) -> None:
    asked: list[bytes] = []
    with serving(answering(status, asked)) as port:
        proxy = f"http://me:p%40ss%C3%A9@{LOOPBACK}:{port}"
        configuration = Configuration(f"https://{ELSEWHERE}", KEY, proxy=proxy)
        error = failure(configuration, ApiConnectionError)
    assert f"{ELSEWHERE}:443: " in str(error)
    assert f"Tunnel connection failed: {status}" in str(error)
    assert "proxy" in str(error).lower()
    # From Python 3.12 on, `Host` comes last.
    assert asked[0].startswith(b"CONNECT 192.0.2.1:443 HTTP/1.1\r\n")
    assert b"\r\nHost: 192.0.2.1:443\r\n" in asked[0]
    # Decoded, and as UTF-8.
    assert b64encode("me:p@ssé".encode()) in asked[0]
    assert KEY.encode() not in asked[0]


@pytest.mark.parametrize(
    ("environment", "url", "is_asked"),
    [
        ({"HTTPS_PROXY": "{proxy}"}, f"https://{ELSEWHERE}", True),
        ({"HTTP_PROXY": "{proxy}"}, f"http://{ELSEWHERE}", True),
        ({"HTTPS_PROXY": "{proxy}"}, "https://localhost:1", False),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": ".invalid"}, "https://service.invalid", False),
        ({"HTTPS_PROXY": "{proxy}", "OWN": ""}, "https://service.invalid", False),
    ],
    ids=["https", "http", "localhost", "no_proxy", "own"],
)
def test_proxy_of_the_environment(
    environment: dict[str, str], url: str, is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    with serving(answering("403 No", asked)) as port:
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(proxy=f"http://{LOOPBACK}:{port}"))
        # A request without TLS is not tunnelled: the answer of the proxy is the response.
        is_response = is_asked and url.startswith("http:")
        configuration = Configuration(url, "", proxy=environment.get("OWN"))
        failure(configuration, ForbiddenError if is_response else ApiConnectionError)
    assert bool(asked) is is_asked


def test_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "find_spec", lambda _: None)
    configuration = Configuration("https://service.invalid", KEY, proxy=f"socks5h://{LOOPBACK}:1")
    assert "urllib3[socks]" in str(failure(configuration, MissingDependencyError))
