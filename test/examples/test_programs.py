"""The programs that end by themselves, and what holds for every example."""

from __future__ import annotations

import asyncio
import importlib
import random
import re
import sys
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from example_programs import (
    EXAMPLES,
    KEY,
    TONE,
    Event,
    check,
    failure,
    heard,
    moved,
    only,
    output,
    recorded,
    run,
    scripted,
    spoken,
    types,
    wires,
    write_wav,
)
from openai_realtime_client import ConnectionLostError, HandshakeRefusedError
from openai_realtime_client.testing import (
    Answer,
    Call,
    Faults,
    McpTool,
    ReplayServer,
    ReplaySession,
)

FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file())
NO_ARGUMENTS = ("assistant.py", "assistant_threads.py", "phone.py", "relay.py", "sip.py")
PROGRAMS = [name for name in FILES if name.endswith(".py")]


def test_every_example_has_its_tests() -> None:
    modules = sorted(Path(__file__).parent.glob("test_*.py"))
    source = "".join(path.read_text("utf-8") for path in modules)
    assert sorted(re.findall(r"^# (\w+\.py)$", source, re.MULTILINE)) == PROGRAMS
    others = [name for name in FILES if name not in PROGRAMS]
    assert [name for name in others if f'EXAMPLES / "{name}"' not in source] == []


def test_the_readme_lists_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    links = re.findall(r"\[([\w.]+)\]\(([\w.]+)\)", readme)
    assert all(text == target for text, target in links)
    assert sorted({"README.md", *(target for _, target in links)}) == FILES
    commands = re.findall(r"\| `(python .+)` \|$", readme, re.MULTILINE)
    assert len(commands) == len(PROGRAMS)
    for command in commands:
        name = command.split()[1].removeprefix("examples/")
        assert f"\n    {command}" in (EXAMPLES / name).read_text("utf-8").split('"""')[1]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NO_ARGUMENTS])
def test_the_programs_show_their_usage(server: ReplayServer, name: str) -> None:
    assert failure(server, name).startswith(f"usage: {name} ")


TOOLS = {"tools": [McpTool("news", "Nothing is new.")]}

# function_calling.py


def test_a_function_is_called_and_its_output_used(server: ReplayServer) -> None:
    lines = output(server, "function_calling.py", "What is the weather in Oslo?")
    said = "The function said: Sunny in Oslo, 21 degrees."
    assert lines == ['get_weather({"city": "Oslo"})', said]
    [tool] = server.sessions[0].received[0].to_dict()["session"]["tools"]
    assert tool["description"] == "Tells the weather in a city."
    assert tool["parameters"]["required"] == ["city"]
    assert tool["parameters"]["properties"]["city"]["type"] == "string"
    assert output(server, "function_calling.py", "Hello.") == ["You said: Hello."]


def test_several_calls_are_answered_and_wrong_ones_too() -> None:
    calls = [Call("get_weather", {"city": "Oslo"}), Call("get_time"), Call("get_weather", "{")]
    with ReplayServer(api_key=KEY, answers=[Answer(calls=calls), "Sunny."]) as server:
        done = run(server, "function_calling.py", "What is the weather?")
    assert done.stdout.splitlines() == [*(f"{call.name}({call.json})" for call in calls), "Sunny."]
    # What was not run is logged.
    assert (done.status, len(done.stderr.splitlines())) == (0, 2)
    assert types(server.sessions[0].received).count("response.create") == 2


# out_of_band.py


def test_a_label_stays_out_of_the_conversation(server: ReplayServer) -> None:
    lines = output(server, "out_of_band.py", "Hello.")
    shown = ["Answer: You said: Hello.", "Label: You said: Hello."]
    assert sorted(lines) == [*shown, "The conversation has 2 items."]


# mcp_approval.py


@pytest.mark.parametrize(("typed", "approve"), [("y", True), ("n", False), ("", False)])
def test_the_user_approves_each_call(typed: str, approve: bool) -> None:
    with ReplayServer(api_key=KEY, mcp=TOOLS) as server:
        url = "https://example.com/mcp"
        done = run(server, "mcp_approval.py", url, "News?", typed=f"{typed}\n")
    check(server)
    assert (done.status, done.stderr) == (0, "")
    said = "The function said: Nothing is new." if approve else "The call was not approved."
    assert done.stdout == f"Run tools.news({{}})? [y/N] {said}\n"
    items = [wire["item"] for wire in wires(server.sessions[0].received) if "item" in wire]
    assert items[-1]["approve"] is approve


def test_empty_answer_is_an_answer() -> None:
    with ReplayServer(api_key=KEY, answers=lambda items: Answer(), mcp=TOOLS) as server:
        assert output(server, "mcp_approval.py", "https://example.com/mcp", "Hi.") == [""]


# azure_text.py


def azure(server: ReplayServer, **more: str) -> dict[str, str]:
    where = {"AZURE_OPENAI_ENDPOINT": server.azure_endpoint, "AZURE_OPENAI_DEPLOYMENT": "talker"}
    # Azure has its own address and key.
    return {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", **where, **more}


def fake_az(folder: Path, log: Path) -> str:
    """A PATH on which there is only a command `az`, which logs its arguments and prints a token."""
    script = f"import sys\nprint(sys.argv[1:], file=open({str(log)!r}, 'w'))\nprint({KEY!r})"
    (folder / "az").write_text(f"#!{sys.executable} -IS\n{script}\n")
    (folder / "az").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("with_key", [True, False], ids=["key", "token_of_entra"])
def test_azure(server: ReplayServer, tmp_path: Path, with_key: bool) -> None:
    log = tmp_path / "log"
    credential = {"PATH": fake_az(tmp_path, log)}
    headers = {"api-key": None, "authorization": f"Bearer {KEY}"}
    asked = "account get-access-token --resource https://ai.azure.com --query accessToken"
    if with_key:
        credential = {"AZURE_OPENAI_API_KEY": KEY}
        headers = {"api-key": KEY, "authorization": None}
    more = azure(server, **credential)
    assert output(server, "azure_text.py", "Hello.", **more) == ["You said: Hello."]
    [session] = server.sessions
    assert session.request_path == "/openai/v1/realtime?model=talker"
    assert {name: session.headers.get(name) for name in headers} == headers
    assert only(session.sent, "response.done")["response"]["output_modalities"] == ["text"]
    assert with_key or log.read_text() == f"{[*asked.split(), '--output', 'tsv']}\n"


# How programs end that get no answer

# Arguments, and after how many events the program has sent all that it sends.
ASKING: dict[str, tuple[list[str], int]] = {
    "azure_text.py": (["Hi."], 4),
    "barge_in.py": (["Tell me a story.", "Stop."], 4),
    "function_calling.py": (["Hi."], 5),
    "mcp_approval.py": (["https://example.com/mcp", "Hi."], 9),
    "out_of_band.py": (["Hi."], 20),
    "push_to_talk.py": ([str(EXAMPLES / "question.wav"), "answer.wav"], 11),
    "transcription.py": ([str(EXAMPLES / "question.wav")], 5),
}
FAILED = Answer(error={"type": "t", "code": "insufficient_quota", "message": "It is used up."})


@pytest.mark.parametrize("name", ASKING)
def test_program_without_an_answer_says_why(name: str) -> None:
    arguments, count = ASKING[name]
    expired: Any = {"faults": Faults(expire_after=count)}
    ends = [("Your session hit the maximum duration", expired)]
    if name != "transcription.py":
        failed: Any = {"answers": lambda items: FAILED}
        ends.append(("It is used up. (insufficient_quota)", failed))
    if name not in ("out_of_band.py", "push_to_talk.py"):  # there `recv` raises
        closed = {"faults": Faults(close_after=count, close_code=1000)}
        ends.append(("The session ended ", closed))
    if name == "barge_in.py":
        empty: Any = {"answers": lambda items: Answer()}
        ends.append(("The answer is too short to interrupt.", empty))
    for said, options in ends:
        with ReplayServer(api_key=KEY, mcp=TOOLS, **options) as server:
            more = azure(server, AZURE_OPENAI_API_KEY=KEY) if name == "azure_text.py" else {}
            assert failure(server, name, *arguments, **more).startswith(said)


# without_key.py


def test_without_key_serves_another_example(
    server: ReplayServer, capfd: pytest.CaptureFixture[str]
) -> None:
    nothing = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": ""}
    assert run(server, "without_key.py", EXAMPLES / "azure_text.py", "Hi.", **nothing).status == 0
    assert capfd.readouterr() == ("You said: Hi.\n", "")
    program = (
        "import os; print(os.environ['OPENAI_BASE_URL'], os.environ['OPENAI_API_KEY']); exit(3)"
    )
    assert run(server, "without_key.py", "-c", program, **nothing).status == 3
    url, key = capfd.readouterr().out.split()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d\d+/v1", url)
    assert key
    assert server.sessions == []


# push_to_talk.py


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def read_wav(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        assert file.getparams()[:3] == (1, 2, 24000)
        return file.readframes(file.getnframes())


def test_push_to_talk_asks_and_is_answered(server: ReplayServer, tmp_path: Path) -> None:
    question = EXAMPLES / "question.wav"
    assert question.stat().st_size <= 100_000
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    said = f"Audio of {len(read_wav(question)) // 48} ms."
    assert lines == [f"user: {said}", f"assistant: You said: {said}"]
    [session] = server.sessions
    assert read_wav(tmp_path / "answer.wav") == spoken(session) != b""
    assert heard(session) == read_wav(question)
    rest = ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]
    assert types(session.received) == ["session.update", *rest]
    audio_input = session.received[0].to_dict()["session"]["audio"]["input"]
    assert audio_input["turn_detection"] is None
    assert session.request_path == "/v1/realtime?model=gpt-realtime-2.1"
    assert session.close_code == 1000


def not_transcribed(event: Event) -> Event:
    kept = {name: event[name] for name in ("event_id", "item_id", "content_index")}
    kind = "conversation.item.input_audio_transcription.failed"
    return {**kept, "type": kind, "error": {"type": "t", "message": "Too much noise."}}


def test_push_to_talk_waits_for_the_transcript_of_the_question_or_its_failure(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    answer, late = tmp_path / "answer.wav", tmp_path / "late.wav"
    expected = output(server, "push_to_talk.py", question, answer)
    with scripted(moved(recorded(server, {}), TRANSCRIBED, after="rate_limits.updated")) as other:
        assert output(other, "push_to_talk.py", question, late) == expected
    assert read_wav(late) == read_wav(answer)
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        lines = output(other, "push_to_talk.py", question, answer)
    assert lines == ["user: not transcribed", "assistant: You said: Audio of 300 ms."]


@pytest.mark.parametrize("name", ["push_to_talk.py", "transcription.py"])
def test_wav_files_that_are_short_or_of_another_format_are_refused(
    server: ReplayServer, name: str, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.wav"
    more = [answer] if name == "push_to_talk.py" else []
    short = write_wav(tmp_path / "short.wav", TONE[:96])
    assert "buffer too small" in failure(server, name, short, *more)
    server.sessions.clear()
    path = tmp_path / "question.wav"
    for shape in [(2, 2, 24000), (1, 1, 24000), (1, 2, 16000)]:
        write_wav(path, shape=shape)
        assert failure(server, name, path, *more) == (
            f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md."
        )
    assert server.sessions == []
    assert not answer.exists()


# transcription.py


def test_transcription_prints_pieces_and_the_whole(server: ReplayServer, question: Path) -> None:
    lines = output(server, "transcription.py", question)
    pieces = ["Audio", "Audio of", "Audio of 300", "Audio of 300 ms."]
    assert [line.removeprefix("… ") for line in lines[:-1]] == pieces
    assert lines[-1] == "Audio of 300 ms."
    [session] = server.sessions
    assert session.request_path == "/v1/realtime?intent=transcription"
    assert session.sent[0].to_dict()["session"]["type"] == "transcription"
    assert heard(session) == TONE
    audio_input = only(session.sent, "session.updated")["session"]["audio"]["input"]
    assert audio_input["transcription"]["model"] == "gpt-transcribe"
    assert audio_input["turn_detection"] is None
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        assert failure(other, "transcription.py", question) == "Too much noise."


# barge_in.py

STORY = "Tell me a story, please, and let it be a very long one, about a dragon and a knight."


def test_an_interruption_cuts_what_was_not_heard(server: ReplayServer) -> None:
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    truncate = only(session.received, "conversation.item.truncate")
    assert only(session.sent, "conversation.item.truncated")["item_id"] == truncate["item_id"]
    shown = truncate["audio_end_ms"]
    assert 100 <= shown < len(spoken(session)) / 48
    assert lines == [f"user: {STORY}", f"assistant: {shown} ms of audio", "user: Stop."]


def test_an_answer_may_be_interrupted_before_it_is_complete(server: ReplayServer) -> None:
    server.answers = [Answer("Once.", audio=30.0, real_time=True)]
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    kinds = types(session.received)
    assert kinds.index("response.cancel") < kinds.index("conversation.item.truncate")
    assert only(session.sent, "response.done")["response"]["status"] == "cancelled"
    assert lines[-1] == "user: Stop."


# reconnect.py

QUESTIONS = ["My name is Ada.", "What is my name?", "Thanks."]
ANSWERS = [f"You said: {question}" for question in QUESTIONS]
TURNS = [text for turn in zip(QUESTIONS, ANSWERS, strict=True) for text in turn]


@pytest.fixture
def reconnect(server: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delitem(sys.modules, "reconnect", raising=False)
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.001)
    return importlib.import_module("reconnect")


def converse(module: Any, questions: list[str] = QUESTIONS) -> None:
    asyncio.run(module.converse(questions))


def said(session: ReplaySession) -> list[str]:
    """The texts of the items that the client has sent, in their order."""
    texts = []
    for item in (wire["item"] for wire in wires(session.received) if "item" in wire):
        [part] = item["content"]
        texts.append(part["text"])
        is_answer = part["text"].startswith("You")
        assert (item["role"] == "assistant") == (part["type"] == "output_text") == is_answer
    return texts


@pytest.mark.parametrize("how", ["cut", "expired"])
def test_conversation_goes_on_wherever_a_session_ends(
    how: str, server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    converse(reconnect)
    printed = capsys.readouterr()
    assert (printed.out.splitlines(), printed.err) == (ANSWERS, "")
    # One session is enough when nothing happens.
    [session] = server.sessions
    assert (said(session), session.close_code) == (QUESTIONS, 1000)
    events = types(session.sent)
    last_answer = max(i for i, name in enumerate(events) if name == "response.done")
    for count in (*range(8), *range(8, last_answer + 1, 3)):
        capsys.readouterr()
        server.sessions.clear()
        cut, expired = Faults(cut_after=count), Faults(close_after=count, close_code=1001)
        server.faults = [cut if how == "cut" else expired, Faults()]
        converse(reconnect)
        assert capsys.readouterr().out.splitlines() == ANSWERS
        _, second = server.sessions
        update = {"type": "session.update", "session": reconnect.SESSION}
        assert second.received[0].to_dict() == update
        answered = events[:count].count("response.done")
        # What was said before is restored: each turn, and the question that was not answered with
        # what there is of its answer. No question is asked twice.
        texts = said(second)
        assert texts[: 2 * answered + 1] == TURNS[: 2 * answered + 1]
        assert [text for text in texts if not text.startswith("You")] == QUESTIONS
        assert types(second.received).count("response.create") == len(QUESTIONS) - answered


def test_the_first_and_the_latest_items_are_restored(server: ReplayServer, reconnect: Any) -> None:
    questions = [f"Question {n}." for n in range(12)]
    converse(reconnect, questions)
    server.faults = [Faults(cut_after=len(server.sessions.pop().sent) - 2), Faults()]
    converse(reconnect, questions)
    assert reconnect.REMEMBERED == 20
    opening, *restored = said(server.sessions[1])
    assert opening == questions[0]
    assert questions[1] not in restored
    assert len(restored) == 20


def test_failure_that_stays_ends_it(server: ReplayServer, reconnect: Any) -> None:
    for faults, error, count in (
        (Faults(refuse=403), HandshakeRefusedError, 0),
        (Faults(cut_after=3), ConnectionLostError, 7),
    ):
        server.faults = faults
        with pytest.raises(error):
            converse(reconnect)
        assert len(server.sessions) == count


def test_error_is_not_taken_for_an_answer(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    converse(reconnect)
    error = {"type": "error", "event_id": "e1", "error": {"type": "t", "message": "Not now."}}
    with scripted(recorded(server, {"response.created": lambda _: error})) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        with pytest.raises(RuntimeError, match=r"Not now\."):
            converse(reconnect)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.answers = [Answer(error={"type": "t", "message": "Too busy."})]
    with pytest.raises(RuntimeError, match=r"Too busy\."):
        converse(reconnect)


def test_the_program_goes_on_in_a_new_session(server: ReplayServer) -> None:
    server.faults = [Faults(cut_after=3), Faults()]
    done = run(server, "reconnect.py", *QUESTIONS)
    assert (done.stdout.splitlines(), done.status) == (ANSWERS, 0)
    [line] = done.stderr.splitlines()
    assert "the connection was lost" in line
