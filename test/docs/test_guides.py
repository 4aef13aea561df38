"""The README and the guides hold what the package holds, and their programs run."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import re
import shutil
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import openai
import openai.resources.realtime.realtime as sdk
import openai.types.realtime
import pytest
import websockets.asyncio.client

import openai_realtime_client
from docs import DOCS, EVENT_PAGES, GUIDES, PAGES, Page, event_type, page_at, run
from example_programs import KEY, environment, eventually, spoken
from http_server import Answer as HttpAnswer
from http_server import HttpServer
from openai_realtime_client import ApiClient, Configuration, RealtimeError, ga, testing, v1
from openai_realtime_client.realtime import connection, record
from openai_realtime_client.testing import Answer, Faults, ReplayServer
from openai_realtime_client.testing.session import ReplaySession
from protocols import GA, PROTOCOLS, ROOT, V1, Protocol
from spec import event_unions

# The names of the pages of each event, by its type.
PAGES_OF: dict[str, set[str]] = {}
for each in EVENT_PAGES:
    PAGES_OF.setdefault(event_type(each), set()).add(each.path.stem)

MOVES = page_at(DOCS / "guides/protocols.md").text


def rows(heading: str) -> list[tuple[str, str]]:
    """Return the names of v1 and GA in the first list after a text in the guide."""
    text = MOVES.split(heading, 1)[1].split("\n\n- ", 1)[1].split("\n\n", 1)[0]
    found: list[tuple[str, str]] = []
    for line in text.split("\n- "):
        before, after = line.split(":", 1)
        names = re.findall("`([^`]*)`", after) or ["-"]
        for name in re.findall("`([^`]*)`", before):
            if after.endswith("the same"):
                names = [name]
            found.append((name, names[0]))
    return found


def has_path(model: Any, path: str) -> bool:
    """Whether `audio.input.format` and the like lead to a field."""
    for name in path.split("."):
        if name not in model.model_fields:
            return False
        annotation = model.model_fields[name].annotation
        model = next((each for each in get_args(annotation) if hasattr(each, "model_fields")), None)
    return True


Serve = Callable[..., AbstractContextManager[ReplayServer[Any, Any]]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a function that starts an embedded server, which programs find by the environment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples/question.wav", tmp_path / "examples")

    @contextmanager
    def serve(**options: Any) -> Iterator[ReplayServer[Any, Any]]:
        with ReplayServer(**options) as server:
            azure = {"AZURE_OPENAI_ENDPOINT": server.azure_endpoint, "AZURE_OPENAI_API_KEY": KEY}
            with environment(server, **azure):
                yield server

    return serve


def test_every_field_of_v1_has_its_place_in_ga() -> None:
    for heading, name in (
        ("### Session settings", "RealtimeSessionCreateRequest"),
        ("RealtimeResponseCreateParams.md), the", "RealtimeResponseCreateParams"),
        ("RealtimeResponse.md), what", "RealtimeResponse"),
    ):
        old, new = getattr(v1, name), getattr(ga, f"{name}GA", getattr(ga, name, None))
        moves = dict(rows(heading))
        assert set(moves) == set(old.model_fields)
        assert [path for path in moves.values() if path != "-" and not has_path(new, path)] == []


def test_renamed_events_are_those_of_the_fragments() -> None:
    before, after = (events_by_class(protocol) for protocol in (V1, GA))
    renamed = {
        before[name]: after[name]
        for name in before.keys() & after.keys()
        if before[name] != after[name]
    }
    assert dict(rows("### Renamed events")) == renamed


def events_by_class(protocol: Protocol) -> dict[str, str]:
    """Return the `type` of each event of a protocol, by class."""
    return {
        reference.rpartition("/")[2]: event_type
        for union in event_unions(protocol.schemas)
        for event_type, reference in protocol.schemas[union]["discriminator"]["mapping"].items()
    }


def test_the_audio_formats_parse() -> None:
    formats = rows("### Audio formats")
    assert [name for name, _ in formats] == v1.RealtimeResponse.OutputAudioFormatEnum.values()
    for _, wire in formats:
        text = f'{{"format": {wire}}}'
        audio = ga.RealtimeSessionCreateRequestGAAudioOutput.from_json(text)
        assert not isinstance(audio.format, ga.UnknownModel)
        assert ga.deviations(audio) == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.path.name)
def test_a_guide_links_the_pages_it_speaks_of_and_they_link_back(page: Page) -> None:
    linked = {file.stem for file, _ in page.links}
    named = {match[1] for match in re.finditer(r"`(?:ga\.|v1\.)?([A-Za-z_.]+)`", page.prose)}
    pages = [protocol.public() for protocol in PROTOCOLS]
    classes = {name for names in pages for name in names} | {"RealtimeApi"}
    assert (named & classes) - linked == set()
    assert [name for name in named & PAGES_OF.keys() if not PAGES_OF[name] & linked] == []
    for file, _ in page.links:
        if file.parent.name in ("v1", "ga") and file.stem in classes:
            assert f"(../guides/{page.path.name})" in file.read_text("utf-8")


def test_the_call_of_the_guide_is_accepted_and_greeted(serve: Serve) -> None:
    [block] = unrun_blocks("sip")
    with HttpServer(HttpAnswer(200)) as webhook, serve() as server:
        call = server.announce_call(webhook.url, secret=base64.b64encode(b"secret").decode())
        settings = ga.RealtimeSessionCreateRequestGA()
        exec(block, {"ApiClient": ApiClient, "ga": ga, "call_id": call.id, "session": settings})
        assert call.status == "active"
        server.sessions[0].wait_for("response.create")


def test_codes_of_errors_are_those_of_the_pages_the_server_and_the_classes() -> None:
    page = guide_lines("error-codes")
    codes = re.findall(r"`error` with `(\w+)`", page)
    assert codes
    text = "".join(page.text for page in PAGES if page.path.parent.name == "ga")
    assert [code for code in codes if f"the code `{code}`" not in text] == []
    sources = (ROOT / "openai_realtime_client/testing").glob("*.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    codes = ["beta_api_shape_disabled", *re.findall(r'Refusal\(\s*"(\w+)"', text)]
    assert "item_create_duplicate_id" in codes
    assert [code for code in codes if f"`{code}`" not in page] == []
    bases = (openai_realtime_client.ApiError, openai_realtime_client.ConnectionClosedError)
    classes = [error.__name__ for base in bases for error in base.__subclasses__()]
    assert [name for name in classes if f"| `{name}` |" not in page] == []


def guide_lines(name: str) -> str:
    return page_at(DOCS / f"guides/{name}.md").prose


def guide(name: str) -> str:
    """The prose of a guide, on one line."""
    return " ".join(guide_lines(name).split())


def test_limits_in_guides_are_those_of_the_package_and_the_fragment() -> None:
    async def websocket_options() -> dict[str, Any]:
        return ga.connect("m", api_key="k")._websocket_options()

    options = asyncio.run(websocket_options())
    audio = GA.schemas["RealtimeClientEventInputAudioBufferAppend"]["properties"]["audio"]
    [append] = set(re.findall(r"(\d+ MiB) per event", audio["description"]))
    commit = page_at(DOCS / "ga/RealtimeClientEventInputAudioBufferCommit.md").text
    # Which a session shows: test_facts.py.
    [least] = set(re.findall(r"less than (\d+ ms)", commit))
    queue = inspect.signature(websockets.asyncio.client.connect).parameters["max_queue"].default
    elapsed = GA.schemas["RealtimeTranslationServerEventSessionInputTranscriptDelta"]["properties"]
    [frame] = re.findall(r"steps of (\d+ ms)", elapsed["elapsed_ms"]["description"])
    limits = [
        ("translation", f"{frame} per call"),
        ("scaling", f"`ping_interval`, which is {options['ping_interval']} s"),
        ("scaling", f"`max_queue` events ({queue} by default)"),
        ("connecting", f"`max_size` is {options['max_size'] // 2**20} MiB"),
        ("connecting", f"at most {connection._AUDIO_CHUNK // 2**10} KiB before base64"),
        ("connecting", f"the service's limit is {append}"),
        ("error-codes", f".md) | {append} | `error`; `send_audio` splits |"),
        ("error-codes", f"| Minimum audio per commit | {least} |"),
        ("sdk", f"`timeout` ({Configuration(access_token='k').timeout:g} s by default)"),
        ("recording", f"wait up to {record._CLOSE_TIMEOUT:g} s for it"),
        ("recording", f"queue of {record._MAX_WAITING:,} entries is full"),
    ]
    vad = GA.schemas["RealtimeTurnDetectionServerVad"]["properties"]["idle_timeout_ms"]
    limits.append(("audio", f"{vad['minimum'] // 1000} to {vad['maximum'] // 1000} s, after an"))
    eagerness = GA.schemas["RealtimeTurnDetectionSemanticVad"]["properties"]["eagerness"]
    low, medium, high = re.findall(r"up to (\d+) seconds", eagerness["description"])
    waits = f"up to {low} s, with `medium` (the default) {medium} s, with `high` {high} s"
    limits.append(("audio", waits))
    speed = GA.schemas["RealtimeSessionCreateRequestGAAudioOutput"]["properties"]["speed"]
    limits.append(("models", f".speed`, {speed['minimum']:g} to {speed['maximum']:g}, changes"))
    tokens = GA.schemas["RealtimeSessionCreateRequestGA"]["properties"]["max_output_tokens"]
    limits.append(("error-codes", f"{tokens['minimum']} to {tokens['maximum']} or `inf`"))
    for name in ("ping_interval", "ping_timeout", "close_timeout"):
        limits.append(("connecting", f"`{name}` ({options[name]} s)"))
    assert [limit for limit in limits if limit[1] not in guide(limit[0])] == []
    seconds = GA.schemas["RealtimeClientSecretExpiresAfter"]["properties"]["seconds"]["default"]
    assert seconds == 10 * 60
    assert "valid for ten minutes unless" in guide("webrtc")
    reject = GA.schemas["RealtimeCallRejectRequest"]["properties"]["status_code"]["description"]
    assert re.findall(r"is `(\d+)`", reject) == re.findall(r"SIP status (\d+)", guide("sip"))


def test_the_bytes_of_a_second_are_those_of_the_formats() -> None:
    rows = re.findall(r"^\| \[`(audio/\w+)`\].* \| ([\d,]+) \|$", guide_lines("audio"), re.M)
    [rate] = GA.schemas["RealtimeAudioFormatsPcm"]["properties"]["rate"]["enum"]
    rates = {"audio/pcm": f"{2 * rate:,}", "audio/pcmu": "8,000", "audio/pcma": "8,000"}
    assert dict(rows) == rates
    for name in ("Pcmu", "Pcma"):
        assert "8000 samples" in GA.schemas[f"RealtimeAudioFormats{name}"]["description"]


# The official SDK, call by call

SDK = page_at(DOCS / "guides/sdk.md")


def test_every_call_of_the_official_sdk_has_its_place() -> None:
    realtime = openai.OpenAI(api_key="k").realtime
    resources = [realtime, realtime.calls, realtime.client_secrets, realtime.translations]
    resources += [sdk.RealtimeConnection, sdk.RealtimeConnectionManager]
    names = {name for each in resources for name in dir(each) if not name.startswith("_")}
    code = " ".join(re.findall(r"`([^`]*)`", SDK.prose))
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()
    for name in re.findall(r"(\w+_realtime_\w+)`", SDK.prose):
        assert hasattr(ga.RealtimeApi, name)


CALLS = re.findall(r"^- `(connection\.\w.*?)`:\s+`(connection\.send.*)`$", SDK.prose, re.M)


@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
def test_the_calls_of_the_official_sdk_send_the_same_here() -> None:
    names: dict[str, Any] = {
        "session": {"type": "realtime", "instructions": "Be brief."},
        "response": {"instructions": "Be brief."},
        "item": {"type": "message", "role": "user", "content": []},
        "item_id": "item_a",
        "audio": bytes(480),
        "encoded": base64.b64encode(bytes(480)).decode(),
    }
    # What is not read must not keep the close frame from being read.
    options: Any = {"max_queue": None}
    with ReplayServer() as server:
        realtime = openai.OpenAI(api_key="k", base_url=server.url).realtime
        connecting = (
            realtime.connect(model="gpt-realtime-2.1", websocket_connection_options=options),
            ga.connect_sync("gpt-realtime-2.1", base_url=server.url, api_key="k"),
        )
        for index, connector in enumerate(connecting):
            with connector as names["connection"]:
                for calls in CALLS:
                    eval(calls[index], names)
                eventually(lambda: len(server.sessions[-1].received) == len(CALLS))
        theirs, ours = (session.received for session in server.sessions)
    for sent, expected, call in zip(ours, theirs, CALLS, strict=True):
        assert sent.to_dict() == expected.to_dict(), call
    # The guide has every method of theirs that sends.
    source = inspect.getsource(sdk)
    assert {sent.type for sent in ours} == set(re.findall(r'"type": "([a-z_.]+)"', source)) != set()


def test_the_exceptions_and_types_of_the_guide_exist_in_both() -> None:
    for heading, theirs, ours in (
        ("## Exceptions", openai, openai_realtime_client),
        ("## Types", openai.types.realtime, ga),
    ):
        table = SDK.prose.split(heading, 1)[1].split("\n## ", 1)[0]
        pairs = re.findall(r"^- `(?:[\w.]+\.)?(\w+)`:\s+\[?`(\w+)`", table, re.M)
        assert len(pairs) >= 12
        assert [pair for pair in pairs if not hasattr(theirs, pair[0])] == []
        assert [pair for pair in pairs if not hasattr(ours, pair[1])] == []


README = Page(ROOT / "README.md")


@pytest.mark.parametrize("page", [README, *GUIDES], ids=lambda page: page.path.name)
def test_the_programs_print_what_the_page_says(
    page: Page, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    for example in page.examples:
        with serve():
            run(page, example)
        printed = capsys.readouterr().out
        assert example.output in (None, printed)
        assert printed


FAULTS: dict[str, dict[str, Any]] = {
    "refused": {"faults": Faults(refuse=503)},
    "lost": {"faults": Faults(cut_after=0)},
    "expired": {"faults": Faults(expire_after=1)},
    "error_of_another_shape": {"faults": Faults(expire_after=1)},  # see `send_text_error`
    "failed_response": {"answers": [Answer(error={"type": "server_error", "message": "Busy."})]},
}


def concerns(code: str, fault: str) -> bool:
    """Return whether a program meets a fault: one that opens a session, and is about no error."""
    if not re.search(r"\bconnect\w*\(", code) or "faults=" in code or "session.push" in code:
        return False
    if fault == "failed_response":
        return "response.create" in code
    if fault in ("expired", "error_of_another_shape"):
        # Others receive a single event, or show the error that they ask for.
        return "for event in connection" in code and "details =" not in code
    return True


FAILING = [
    pytest.param(page, fault, id=f"{page.path.stem}-{fault}")
    for page in (README, *GUIDES)
    for fault in FAULTS
    if any(concerns(example.code, fault) for example in page.examples)
]


@pytest.mark.parametrize(("page", "fault"), FAILING)
def test_the_programs_fail_loudly(
    page: Page, fault: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "ReplayServer", partial(ReplayServer, **FAULTS[fault]))
    if fault == "error_of_another_shape":
        monkeypatch.setattr(ReplaySession, "_expire", send_text_error)
    for example in page.examples:
        if not concerns(example.code, fault):
            continue
        with serve(**FAULTS[fault]), pytest.raises((SystemExit, RealtimeError)) as failure:
            run(page, example)
        if "Busy." in repr(FAULTS[fault]) or fault == "error_of_another_shape":
            assert str(failure.value) == "Busy."


async def send_text_error(session: Any) -> None:
    """Send an error as some servers do, which is no object, and go on."""
    session._faults = replace(session._faults, expire_after=None)
    await session._send({"type": "error", "error": "Busy."})


def test_the_voice_turn_of_the_readme_is_short_and_gets_an_answer(serve: Serve) -> None:
    [voice] = [each for each in README.examples if "send_audio" in each.code]
    assert len([line for line in voice.code.splitlines() if line]) <= 24
    with serve() as server:
        run(README, voice)
        answer = spoken(server.sessions[0])
    with wave.open("answer.wav") as written:
        assert written.readframes(written.getnframes()) == answer != b""


def unrun_blocks(guide: str) -> list[str]:
    """The programs of a guide that need a device or a server of their own."""
    return re.findall(r"^```py\n(.*?)^```$", page_at(DOCS / f"guides/{guide}.md").text, re.M | re.S)


def test_the_loop_of_the_guide_is_that_of_the_example() -> None:
    example = (ROOT / "examples/reconnect.py").read_text("utf-8")
    assert unrun_blocks("reconnect")
    assert [block for block in unrun_blocks("reconnect") if block not in example] == []


def test_the_voice_program_is_short_and_stops_at_an_error(serve: Serve) -> None:
    [program] = [block for block in unrun_blocks("audio") if "Microphone()" in block]
    assert len([line for line in program.splitlines() if line]) <= 28
    program = program.replace("Microphone()", 'Microphone(backend="null")')
    program = program.replace("Speaker(playback)", 'Speaker(playback, backend="null")')
    expired = pytest.raises((SystemExit, RealtimeError), match="hit the maximum duration")
    with serve(faults=Faults(expire_after=1)), expired:
        exec(program, {"__name__": "voice"})


def test_the_defaults_of_turn_detection_are_those_of_recorded_sessions() -> None:
    [row] = re.findall(r"- left out: (.*?)\.\n", guide_lines("audio"), re.S)
    with (
        ReplayServer() as server,
        ga.connect_sync("gpt-realtime-2.1", base_url=server.url, api_key="k") as connection,
    ):
        created = connection.recv().to_dict()
    detection = created["session"]["audio"]["input"]["turn_detection"]
    assert row.startswith(f"`{detection['type']}`")
    for name in ("threshold", "prefix_padding_ms", "silence_duration_ms"):
        assert f"`{name}` {detection[name]}" in row


def test_programs_use_no_value_that_the_service_shuts_down() -> None:
    deprecated = re.compile(
        r"^\| [\w<>]+ \| `([^`]+)`, deprecated: (?:works until|was to)", re.MULTILINE
    )
    ended = {
        value
        for page in PAGES
        if "/ga/" in str(page.path)
        for value in deprecated.findall(page.text)
    }
    assert "gpt-realtime" in ended
    for path in (ROOT / "README.md", *DOCS.glob("guides/*.md"), *ROOT.glob("examples/*.[phm]*")):
        text = path.read_text("utf-8")
        assert [value for value in ended if f'"{value}"' in text] == [], path


# The loop of the guide to interruptions, with a device and a session that are not there

FRAME = 960  # 20 ms


class Session:
    """A connection whose user interrupts after 240 ms, and the device that plays its audio."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    @contextmanager
    def stream(self, *shape: Any, callback: Any, **more: Any) -> Iterator[None]:
        """Take the place of `sounddevice.RawOutputStream`."""
        assert (shape, more) == ((24_000,), {"channels": 1, "dtype": "int16"})
        self.callback = callback
        yield

    def play(self, frames: int) -> bytes:
        played = bytearray(frames * FRAME)
        for start in range(0, len(played), FRAME):
            self.callback(memoryview(played)[start : start + FRAME], FRAME // 2, None, None)
        return bytes(played)

    @asynccontextmanager
    async def connect(self, _model: str, *, conversation: Any) -> AsyncIterator[Session]:
        self.conversation = conversation
        yield self

    async def send(self, event: Any) -> None:
        self.sent.append(event)

    async def __aiter__(self) -> AsyncIterator[Any]:
        delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i"}
        delta["delta"] = base64.b64encode(b"\1" * 24_000).decode()
        yield self.received(delta)
        assert self.play(12) == b"\1" * 12 * FRAME
        yield self.received({"type": "input_audio_buffer.speech_started", "item_id": "u"})
        yield self.received(delta)  # It was on its way.
        assert self.play(2) == bytes(2 * FRAME)

    def received(self, wire: dict[str, Any]) -> Any:
        event = ga.parse_server_event(wire)
        self.conversation.add(event)
        return event


def test_the_loop_with_a_sound_device_tells_the_model_what_was_heard() -> None:
    [block] = [block for block in unrun_blocks("interruptions") if "sounddevice" in block]
    session = Session()
    names: dict[str, Any] = {"base64": base64, "ga": session}
    names["sounddevice"] = SimpleNamespace(RawOutputStream=session.stream)
    exec("from openai_realtime_client import *", names)
    code = compile(block, "interruptions.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(code, names))
    truncate = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}
    assert session.sent == [{**truncate, "audio_end_ms": 240}]
