"""A server that stands before another one and changes what it sends."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import websockets.sync.client
import websockets.sync.server
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

Event = dict[str, Any]
# What is sent in place of an event: events, text that is none, or a code to close with.
Change = Callable[[Event], list[Event | str | int]]


def pass_on(client: Connection, service: Connection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in client:
            service.send(message)
    service.close()


@contextlib.contextmanager
def changed(url: str, change: Change) -> Iterator[str]:
    """Give the base URL of a server whose events are those of another, changed."""

    def hold(client: websockets.sync.server.ServerConnection) -> None:
        request = client.request
        assert request
        beta = request.headers.get("OpenAI-Beta")
        with websockets.sync.client.connect(
            url.replace("http", "ws").removesuffix("/v1") + request.path,
            additional_headers={"OpenAI-Beta": beta} if beta else None,
            proxy=None,
            close_timeout=1,
        ) as service:
            thread = threading.Thread(target=pass_on, args=(client, service))
            thread.start()
            with contextlib.suppress(ConnectionClosed):
                for message in service:
                    for each in change(json.loads(message)):
                        if isinstance(each, int):
                            client.close(each)
                        else:
                            client.send(each if isinstance(each, str) else json.dumps(each))
            client.close()
            thread.join()

    with websockets.sync.server.serve(hold, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.socket.getsockname()[:2]
        try:
            yield f"http://{host}:{port}/v1"
        finally:
            server.shutdown()
            thread.join()
