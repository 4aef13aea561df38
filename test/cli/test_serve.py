"""`serve`: the embedded server as a program."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
import urllib3

from command_line import COMMAND, Cli
from openai_realtime_client import ga

ORIGIN = "http://localhost:3000"


@contextmanager
def serving(*argv: str) -> Iterator[str]:
    """Run it, and stop it as Ctrl-C does; gives its URL."""
    ignored = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{ignored}; from openai_realtime_client.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [COMMAND[0], "-c", code, "serve", "--port", "0", *argv]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout
    line = child.stdout.readline()
    try:
        url = re.search(r"https?://\S+/v1", line)
        assert url, child.stderr and child.stderr.read()
        yield url[0]
    finally:
        child.send_signal(2)
        assert child.communicate(timeout=30) == ("", "")
    assert child.returncode == 0


def test_origin_and_session() -> None:
    with serving("--origin", ORIGIN) as url:
        secret = f"{url}/realtime/client_secrets"
        for origin, status in ((ORIGIN, 200), ("http://example.com", 403)):
            response = urllib3.request("POST", secret, headers={"Origin": origin}, retries=False)
            assert response.status == status
        with ga.connect_sync("m", base_url=url, api_key="") as connection:
            assert connection.recv().type == "session.created"


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serving("--tls", str(certificate), str(key)) as url:
        assert url.startswith("https://")
        options = {"ssl": trusting}
        connecting = ga.connect_sync("m", base_url=url, api_key="", websocket_options=options)
        with connecting as connection:
            assert connection.recv().type == "session.created"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--tls", "missing.pem", "missing.pem"], "No such file or directory"),
        (["--host", "192.0.2.1"], "Cannot assign requested address"),
    ],
)
def test_cannot_serve(cli: Cli, argv: list[str], message: str) -> None:
    status, out, err = cli.run("serve", *argv)
    assert (status, out) == (1, "")
    assert err.startswith("python -m openai_realtime_client serve: cannot serve: ")
    assert message in err
    assert err.count("\n") == 1
