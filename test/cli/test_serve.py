"""`serve`: the embedded server as a program."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme
import urllib3

from command_line import COMMAND, Cli, take_signals
from openai_realtime_client import ga

ORIGIN = "http://localhost:3000"


def test_origin_tls_and_session(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options = ["--port", "0", "--origin", ORIGIN, "--tls", str(certificate), str(key)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [*COMMAND, "serve", *options], stdout=pipe, stderr=pipe, text=True, preexec_fn=take_signals
    )
    try:
        assert child.stdout
        found = re.search(r"https://127\.0\.0\.1:\d+/v1", child.stdout.readline())
        assert found, child.stderr and child.stderr.read()
        url = found[0]
        with urllib3.PoolManager(ssl_context=trusting) as pool:
            for origin, status in ((ORIGIN, 200), ("http://example.com", 403)):
                secret = f"{url}/realtime/client_secrets"
                response = pool.request("POST", secret, headers={"Origin": origin}, retries=False)
                assert response.status == status
        ssl_options = {"ssl": trusting}
        connecting = ga.connect_sync("m", base_url=url, api_key="", websocket_options=ssl_options)
        with connecting as connection:
            assert connection.recv().type == "session.created"
    finally:
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30) == ("", "")
    assert child.returncode == 0


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
