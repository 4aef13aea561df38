"""Pages in a real Chromium, with a file for a microphone: the relay's and `inspect --html`'s.

Pages of the docs, too, as a code host shows them.

`make browser` runs this, and leaves screenshots in build/. It needs the system's Chromium, and
fonts as narrow as Arial: those of `fonts-liberation`, in Debian.
"""

from __future__ import annotations

import base64
import json
import math
import os
import random
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page, expect, sync_playwright

from command_line import HOSTILE, client, recording, server
from example_programs import relaying
from openai_realtime_client import deviations
from openai_realtime_client.core.audio import PCM
from openai_realtime_client.testing import Answer, Faults, ReplayServer
from openai_realtime_client.testing.audio import tone

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=user-gesture-required",
)
STORY = "Once upon a time there was a server that answered everything. " * 40 + "The end."


@pytest.fixture(scope="session")
def executable() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.exit(f"there is no Chromium ({', '.join(NAMES)}): install one or set CHROMIUM", 1)
    return found


@contextmanager
def chromium(executable: str, *options: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*OPTIONS, *options])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A page that may load nothing from elsewhere, and has no error in its console."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert problems == []
    own = (url, "blob:", "data:")
    assert [each for each in requests if not each.startswith(own)] == []


# The relay


def write_speech(path: Path, *parts: tuple[float, bool]) -> Path:
    """Write what a microphone records: seconds of speech, or of a quiet room, one after the other.

    Speech is a buzz that changes its pitch and comes in syllables, because browsers take a steady
    tone for noise and remove it.
    """
    drawn, samples, phase = random.Random(1), bytearray(), 0.0
    for seconds, is_speech in parts:
        for number in range(int(48000 * seconds)):
            at = number / 48000
            phase += (140 + 40 * math.sin(5 * at)) / 48000
            buzz = sum(math.sin(2 * math.pi * phase * each) / each for each in range(1, 12))
            loud = 9000 * abs(math.sin(math.pi * 4 * at)) if is_speech else 0
            value = int(loud * buzz / 2 + drawn.gauss(0, 3))
            samples += max(-32768, min(32767, value)).to_bytes(2, "little", signed=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(samples)
    return path


def kinds(session: Any) -> list[str]:
    return [event.type for event in session.received]


def check(server: ReplayServer[Any, Any]) -> None:
    for session in server.sessions:
        assert [found for event in session.received for found in deviations(event)] == []


def test_the_relay_by_voice(executable: str, tmp_path: Path) -> None:
    """The user speaks, hears the answer, and interrupts it by speaking again."""
    parts = ((1.0, False), (1.5, True), (3.5, False), (1.5, True), (60.0, False))
    speech = write_speech(tmp_path / "speech.wav", *parts)
    fake = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech}%noloop",
    )
    story = Answer(STORY, audio=20.0, real_time=True)
    transcripts = ["Tell me a story.", "Stop. What time is it?"]
    with (
        ReplayServer(answers=[story, "It is noon."], transcripts=transcripts) as service,
        relaying(service) as relay,
        chromium(executable, *fake) as browser,
        opened(browser, relay.url) as page,
    ):
        expect(page.get_by_role("status")).to_have_text("Connected")
        page.get_by_role("button", name="Start the microphone").click()
        expect(page.get_by_role("status")).to_have_text("Listening")
        lines = page.get_by_role("log").get_by_role("listitem")
        expect(lines.nth(0)).to_have_text("You: Tell me a story.", timeout=15_000)
        expect(lines.nth(1)).to_contain_text("Assistant: Once upon", timeout=15_000)
        # It plays, until the user speaks again.
        expect(page.get_by_role("button", name="Interrupt")).to_be_enabled()
        page.screenshot(path=BUILD / "relay-speaking.png")
        # In a small window, what is said last is in view, and so are the buttons.
        page.set_viewport_size({"width": 400, "height": 480})
        expect(lines.nth(2)).to_have_text("You: Stop. What time is it?", timeout=15_000)
        expect(lines.nth(3)).to_have_text("Assistant: It is noon.", timeout=15_000)
        expect(lines.nth(3)).to_be_in_viewport()
        expect(page.get_by_role("button", name="Stop the microphone")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Interrupt")).to_be_disabled(timeout=15_000)
        page.get_by_role("button", name="Stop the microphone").click()
        expect(page.get_by_role("status")).to_have_text("The microphone is off")
        page.screenshot(path=BUILD / "relay.png")
        assert "The end." not in lines.nth(1).inner_text()
    check(service)
    [session] = service.sessions
    sent = [event.type for event in session.sent]
    assert sent.count("input_audio_buffer.speech_started") == 2
    [truncate] = [e for e in session.received if e.type == "conversation.item.truncate"]
    # It played from the first piece on, and stopped long before the 20 s of it.
    assert 500 < truncate.audio_end_ms < 10_000
    done = [event.response.status for event in session.sent if event.type == "response.done"]
    assert done == ["cancelled", "completed"]
    append = next(e for e in session.received if e.type == "input_audio_buffer.append")
    assert len(base64.b64decode(append.audio)) == 1920
    assert kinds(session)[0] == "session.update"


def test_the_relay_by_keyboard(executable: str) -> None:
    """Without mouse and microphone: the focus is seen, and Escape interrupts."""
    story = Answer(STORY, audio=20.0, real_time=True)
    with (
        ReplayServer(answers=[story, None, None]) as service,
        relaying(service) as relay,
        chromium(executable) as browser,
        opened(browser, relay.url) as page,
    ):
        expect(page.get_by_role("status")).to_have_text("Connected")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Start the microphone")).to_be_focused()
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Tab")
        expect(page.get_by_label("Or write")).to_be_focused()
        page.keyboard.type("<b>A story</b>, please.")
        page.keyboard.press("Enter")
        lines = page.get_by_role("log").get_by_role("listitem")
        expect(lines.nth(0)).to_have_text("You: <b>A story</b>, please.")
        expect(lines.nth(1)).to_contain_text("Assistant: Once upon")
        expect(page.get_by_role("button", name="Interrupt")).to_be_enabled()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Interrupt")).to_be_disabled()
        page.keyboard.type("Thanks.")
        page.keyboard.press("Enter")
        expect(lines.nth(3)).to_have_text("Assistant: You said: Thanks.")
        expect(page.get_by_role("status")).to_have_text("Connected")
    check(service)
    [session] = service.sessions
    assert "response.cancel" in kinds(session)
    assert "conversation.item.truncate" in kinds(session)


def test_the_relay_without_a_microphone_or_a_service(executable: str) -> None:
    with (
        ReplayServer() as service,
        relaying(service) as relay,
        chromium(executable) as browser,
        opened(browser, relay.url) as page,
    ):
        expect(page.get_by_role("status")).to_have_text("Connected")
        page.get_by_role("button", name="Start the microphone").click()
        expect(page.get_by_role("status")).to_contain_text("No microphone: ")
        expect(page.get_by_role("button", name="Start the microphone")).to_be_visible()
        service.faults = Faults(close_after=2, close_code=1001)
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("The connection was closed (1001)")


# inspect --html


def page_of(lines: list[Any], folder: Path, name: str = "session.jsonl") -> str:
    """The URL of the page about a recording."""
    recording(folder / name, *lines)
    command = [sys.executable, "-m", "openai_realtime_client", "inspect", "-q", "--html", "s.html"]
    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True)
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    return (folder / "s.html").as_uri()


@pytest.fixture
def browser(executable: str) -> Iterator[Browser]:
    with chromium(executable) as browser:
        yield browser


def spoken_session() -> list[Any]:
    """A session with turn detection: a tool call, and an answer that is interrupted."""
    from openai_realtime_client import ga

    weather = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
    audio = {"input": {"transcription": {"model": "whisper-1"}}}
    session = {"type": "realtime", "tools": [weather], "audio": audio}
    speech, silence = tone(PCM, 800), b"\0" * 48 * 600
    output = {"type": "function_call_output", "output": "Sunny, <b>18</b> degrees."}
    story = Answer(STORY, audio=8.0, real_time=True)
    words = ["What is the weather?", "Tell me a story."]
    with (
        ReplayServer(answers=[None, None, story], transcripts=words) as service,
        ga.connect_sync("gpt-realtime-2.1", base_url=service.url, api_key="") as connection,
    ):

        def until(kind: str) -> Any:
            while (event := connection.recv(10)).type != kind:
                pass
            return event

        connection.send({"type": "session.update", "session": session})
        connection.send_audio(speech)
        connection.send_audio(silence)
        [call] = until("response.done").response.output
        item = {**output, "call_id": call.call_id}
        connection.send({"type": "conversation.item.create", "item": item})
        connection.send({"type": "response.create"})
        until("response.done")
        connection.send_audio(speech)
        connection.send_audio(silence)
        piece = until("response.output_audio.delta")
        for _ in range(20):
            until("response.output_audio.delta")
        place = {"item_id": piece.item_id, "content_index": 0, "audio_end_ms": 500}
        connection.send({"type": "response.cancel"})
        connection.send({"type": "conversation.item.truncate", **place})
        until("conversation.item.truncated")
    return service.sessions[0].recording()


def test_the_page_of_a_session(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, page_of(spoken_session(), tmp_path)) as page:
        expect(page).to_have_title("session.jsonl")
        turns = page.locator("article")
        expect(turns).to_have_count(2)
        first, second = turns.nth(0), turns.nth(1)
        expect(first).to_contain_text("What is the weather?")
        expect(first).to_contain_text("get_weather(")
        expect(first).to_contain_text("→ Sunny, <b>18</b> degrees.")
        expect(first).to_contain_text("The function said: Sunny, <b>18</b> degrees.")
        expect(second).to_contain_text("Tell me a story.")
        expect(second).to_contain_text("cancelled, heard for 500 ms")
        expect(second.locator("header")).to_contain_text("answered after")
        # Each side of each turn has audio. It plays, and its waveform is not flat.
        expect(page.locator("canvas")).to_have_count(4)
        page.screenshot(path=BUILD / "session.png", full_page=True)
        play = second.get_by_role("button", name="Play the assistant in turn 2")
        play.focus()
        page.keyboard.press("Enter")
        expect(play).to_have_text("Stop")
        expect(play).to_have_text("Play", timeout=5000)
        heights = page.evaluate(
            """[...document.querySelectorAll("canvas")].map((canvas) => {
                const { width, height } = canvas;
                const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
                const rows = new Set();
                for (let at = 3; at < data.length; at += 4)
                    if (data[at]) rows.add(Math.floor(at / 4 / width));
                return rows.size / height;
            })"""
        )
        assert all(0.1 < height < 0.9 for height in heights)
        bars = page.locator(".bar")
        assert bars.count() == 6
        widths = [bars.nth(number).bounding_box()["width"] for number in range(6)]
        assert max(widths) < 1000
        page.locator("summary").click()
        expect(page.get_by_role("cell", name="response.done").first).to_be_visible()
        page.screenshot(path=BUILD / "session-events.png", full_page=True)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_of_a_hostile_session(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    evil = "</script><img src=x onerror=alert(1)><script>alert(2)</script>" + HOSTILE
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": evil}]}
    ids = {"response_id": evil, "item_id": evil, "output_index": 0, "content_index": 0}
    lines = [
        server(0, type="session.created", session={"type": "realtime", "id": "s", "model": evil}),
        client(10, type="conversation.item.create", item=item),
        server(20, type="response.created", response={"id": evil}),
        server(30, type="response.output_text.delta", delta=evil, **ids),
        server(31, type="response.output_audio.delta", delta="!", **ids),
        server(32, type="response.output_audio.delta", delta="AAA=", **ids),
        server(40, type="response.done", response={"id": evil, "status": evil, evil: evil}),
        server(50, type="error", error={"type": evil, "code": evil, "message": evil}),
        server(60, type=evil),
    ]
    with opened(browser, page_of(lines, tmp_path, "<img src=x>.jsonl")) as page:
        page.emulate_media(color_scheme=scheme)
        expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x>.jsonl")
        expect(page.locator("article")).to_contain_text("<img src=x onerror=alert(1)>")
        page.locator("summary").click()
        expect(page.locator("img, script:not(#session) + script + script")).to_have_count(0)
        page.screenshot(path=BUILD / f"hostile-{scheme}.png", full_page=True)


def test_the_page_of_a_session_without_times_and_turns(browser: Browser, tmp_path: Path) -> None:
    created = {"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}
    with opened(browser, page_of([json.dumps(created)], tmp_path)) as page:
        expect(page.get_by_text("There are none.")).to_be_visible()
        expect(page.locator(".lanes")).to_have_count(0)


# The docs

# The measures of a code host: the width of its page, its fonts' sizes and the space in cells.
CODE_HOST = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; font: 16px/1.5 sans-serif; overflow-wrap: break-word }
article { box-sizing: border-box; width: 1012px; padding: 45px }
table { display: block; width: max-content; max-width: 100%%; overflow: auto }
table { border-collapse: collapse }
td, th { padding: 6px 13px; border: 1px solid }
code { padding: .2em .4em; font: 85%% monospace }
pre { padding: 16px; overflow: auto; font-size: 85%%; line-height: 1.45 }
pre code { padding: 0; font-size: 100%% }
</style><article>%s</article>"""
WIDER = """() => [document.documentElement, ...document.querySelectorAll("table, pre")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.innerText.slice(0, 80))"""


def wider_than_the_page(page: Page, markdown: str) -> list[str]:
    """The beginnings of what scrolls horizontally."""
    page.set_content(CODE_HOST % MarkdownIt().enable("table").render(markdown))
    found: list[str] = page.evaluate(WIDER)
    return found


@pytest.fixture
def code_host(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1012, "height": 1400})
    yield context.new_page()
    context.close()


def test_nothing_on_a_page_of_the_docs_scrolls_horizontally(code_host: Page) -> None:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    wide = {
        file.relative_to(ROOT).as_posix(): found
        for file in files
        if (found := wider_than_the_page(code_host, file.read_text("utf-8")))
    }
    assert wide == {}


@pytest.mark.parametrize(
    "markdown",
    [
        f"```text\n{'word ' * 25}\n```\n",
        f"| {'A' * 60} | {'B' * 60} |\n| --- | --- |\n| a | b |\n",
        f"| a | b |\n| --- | --- |\n| {'A' * 60} | `{'B' * 50}` |\n",
    ],
)
def test_what_is_too_wide_is_found(code_host: Page, markdown: str) -> None:
    assert wider_than_the_page(code_host, markdown)


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "ga/RealtimeTurnDetectionServerVad",
        "ga/RealtimeTurnDetection",
        "ga/NoiseReductionType",
        "ga/RealtimeClientEventSessionUpdate",
        "ga/index",
        "guides/sdk",
        "v1/RealtimeResponse",
    ],
)
def test_a_picture_of_a_page(code_host: Page, name: str) -> None:
    markdown = (ROOT / f"docs/{name}.md").read_text("utf-8")
    assert wider_than_the_page(code_host, markdown) == []
    expect(code_host.get_by_role("heading", level=1)).to_be_visible()
    code_host.screenshot(path=BUILD / f"docs-{name.replace('/', '-')}.png")
