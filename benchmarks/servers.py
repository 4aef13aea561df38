"""The server of the benchmarks, and what a client needs to trust it."""

from __future__ import annotations

import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

HERE = Path(__file__).parent
AUTHORITY = trustme.CA()
CLIENT_TLS = ssl.create_default_context()
AUTHORITY.configure_trust(CLIENT_TLS)


@contextmanager
def serving(is_tls: bool) -> Iterator[tuple[str, ssl.SSLContext | None]]:
    """The URL of an `echo_server.py` in another process, and what a client needs to trust it."""
    command = [sys.executable, str(HERE / "echo_server.py")]
    with tempfile.TemporaryDirectory() as folder:
        if is_tls:
            path = Path(folder) / "server.pem"
            chain = AUTHORITY.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
            chain.write_to_path(str(path))
            command.append(str(path))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdin
            assert process.stdout
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            try:
                yield (f"wss://{address}", CLIENT_TLS) if is_tls else (f"ws://{address}", None)
            finally:
                process.terminate()
