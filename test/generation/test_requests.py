"""What the methods and connections of a fragment send, of whatever a fragment may have."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from trees import copy_repository, printed, run

FRAGMENT = Path(__file__).parent / "requests.yaml"
# For each case: a call, and what the server receives, or what the call returns.
CALLS = {
    "path_of_scalars": ("api.read_part_things__thing_id__get(5, True)", "/things/5/parts/true"),
    "list_in_query": (
        'api.read_part_things__thing_id__get(5, False, tags=["a", "b"])',
        "/things/5/parts/false?tags%5B%5D=a&tags%5B%5D=b",
    ),
    "keyword_as_parameter": (
        'api.read_part_things__thing_id__get(5, False, class_="c", sort="down", limit=3)',
        "/things/5/parts/false?sort=down&class=c&limit=3",
    ),
    "key_in_header": ("api.read_part_things__thing_id__get(5, False)", {"x-key": "k" * 16}),
    "no_bearer_beside_key": (
        "api.read_part_things__thing_id__get(5, False)",
        {"authorization": None},
    ),
    "authorization_replaces_key": (
        'api.read_part_things__thing_id__get(5, False, authorization="Token abc")',
        {"authorization": "Token abc", "x-key": None},
    ),
    "list_in_form": ('api.send_form(names=["a", "b"])', ('name="names"\r\n', 2)),
    "bytes_in_form": (r'api.send_form(files=[b"\x00\xff"])', ("\r\n\r\n\x00\xff\r\n", 1)),
    "file_name_in_form": (
        'api.send_form(files=[("x.bin", b"1"), b"2"])',
        ('name="files"; filename="x.bin"', 1),
    ),
    "file_without_name_in_form": ('api.send_form(files=[b"2"])', ('filename="files"', 1)),
    "first_type_of_encoding": ('api.send_form(sheet=b"1,2")', ("Content-Type: text/csv\r\n", 1)),
    "number_in_form": ("api.send_form(count=3)", ("\r\n\r\n3\r\n", 1)),
    "object_in_form": (
        'api.send_form(login=Login(user_name="n"))',
        ('Content-Type: application/json\r\n\r\n{"userName":"n"}', 1),
    ),
    "optional_form": ("api.send_form()", {"content-type": None, "content-length": "0"}),
    "urlencoded_form": (
        'api.login("a b", is_admin=True)',
        ("userName=a+b&isAdmin=true", 1),
    ),
    "no_key_where_security_is_empty": ('api.login("a")', {"x-key": None, "authorization": None}),
    "key_in_query": (r'api.put_raw(b"\x01")', f"/raw?token={'k' * 16}"),
    "raw_body": (r'api.put_raw(b"\x01")', {"content-type": "application/octet-stream"}),
    "list_as_body": (
        'api.patch_raw([Form(count=1), {"count": 2}])',
        ('[{"count":1},{"count":2}]', 1),
    ),
    "media_type_of_json": ("api.patch_raw([])", {"content-type": "application/merge-patch+json"}),
    "bearer_for_oauth2": ("api.patch_raw()", {"authorization": f"Bearer {'k' * 16}"}),
    "accepted_type_with_quotes": ("api.patch_raw()", {"accept": 'text/plain; charset="utf-8"'}),
    "quoted_path": ('api.import_("a/b")', "/it's/a%2Fb"),
    "text_as_json_body": ('api.import_("a", body="x")', ('"x"', 1)),
}
PROGRAM = """
import http.server, json, sys, threading
from openai_realtime_client.requests import *
log = []
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("latin-1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        log.append({"path": self.path, "headers": headers, "body": body})
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    do_GET = do_POST = do_PUT = do_PATCH = answer
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
api = AllThingsApi(ApiClient(Configuration(url, "k" * 16)))
for call in json.loads(sys.argv[1]):
    eval(call)
print(json.dumps(log))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with this fragment alone, generated."""
    left_out = ("v1", "ga", "v1.yaml", "ga.yaml", "*.md")
    root = copy_repository(tmp_path_factory.mktemp("requests"), *left_out)
    shutil.copy(FRAGMENT, root / "openapi")
    made = run(root, "openapi/generate.py")
    assert made.returncode == 0, made.stderr
    return root


@pytest.fixture(scope="module")
def received(root: Path) -> dict[str, Any]:
    """What the server received of each call."""
    calls = [call for call, _ in CALLS.values()]
    done = run(root, "-W", "error", "-c", PROGRAM, json.dumps(calls))
    assert done.returncode == 0, done.stderr
    return dict(zip(CALLS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CALLS)
def test_call_sends(received: dict[str, Any], case: str) -> None:
    request, expected = received[case], CALLS[case][1]
    if isinstance(expected, str):
        assert request["path"] == expected
    elif isinstance(expected, dict):
        assert {name: request["headers"].get(name) for name in expected} == expected
    else:
        text, count = expected
        assert request["body"].count(text) == count, request["body"]


def test_page_names_arguments_as_the_method_does(root: Path) -> None:
    page = (root / "docs/requests/AllThingsApi.md").read_text("utf-8").replace("<wbr>", "")
    section = page.partition("## read_part_things__thing_id__get\n")[2].partition("\n## ")[0]
    names = re.findall(r"^\|\*\*([^*]+)\*\* \|", section, re.MULTILINE)
    program = """
import inspect
from openai_realtime_client.requests import AllThingsApi
print(*inspect.signature(AllThingsApi.read_part_things__thing_id__get).parameters)
"""
    assert ["self", *names, "headers", "timeout"] == printed(root, program).split()


def test_page_notes_what_a_parameter_may_be(root: Path) -> None:
    page = (root / "docs/requests/AllThingsApi.md").read_text("utf-8")
    assert "| L. | [optional] [at most `9`] |" in page
    assert '| S. | [optional] [default `"up"`] |' in page


def test_example_passes_what_is_optional_by_name(root: Path) -> None:
    page = (root / "docs/requests/AllThingsApi.md").read_text("utf-8")
    assert re.search(r'\.import_\("[^"]*", body="[^"]*"\)', page)


def test_client_of_another_server_knows_nothing_of_openai(root: Path) -> None:
    program = """
import os
os.environ |= {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://api.openai.com/v1"}
from openai_realtime_client.requests import ApiClient, Configuration
print(ApiClient().configuration.host, Configuration().credential.key)
"""
    assert printed(root, program) == "https://eu.example.com/api None\n"


def test_connection_takes_the_parameters_of_its_path(root: Path) -> None:
    program = """
from openai_realtime_client.requests import connect_channel, connect_channel_sync
print(connect_channel(room_name="a/b", api_key="")._url())
print(connect_channel_sync("m", room_name="a", api_key="")._url())
"""
    assert printed(root, program).splitlines() == [
        "wss://eu.example.com/api/rooms/a%2Fb/channel",
        "wss://eu.example.com/api/rooms/a/channel?model=m",
    ]


def test_unions_of_events_are_named_by_the_fragment(root: Path) -> None:
    program = """
import openai_realtime_client.requests as package
print(*sorted(name for name in package.__all__ if name.startswith(("parse_", "connect"))))
print(type(package.parse_notice('{"type":"bye"}')).__name__)
"""
    assert printed(root, program).splitlines() == [
        "connect_channel connect_channel_sync parse_notice parse_received parse_sent",
        "Bye",
    ]
    page = (root / "docs/requests/Sent.md").read_text("utf-8")
    assert "`connect_channel` and `connect_channel_sync`" in page
    assert "connect" not in (root / "docs/requests/Notice.md").read_text("utf-8")
