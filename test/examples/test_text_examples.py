"""The examples that need no audio, and how all of them end that ask something."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from example_programs import (
    EXAMPLES,
    KEY,
    check,
    failure,
    only,
    output,
    run,
    types,
    wires,
)
from openai_realtime_client.testing import Answer, Call, Faults, McpTool, ReplayServer

TOOLS = {"tools": [McpTool("news", "Nothing is new.")]}

# function_calling.py


def test_a_function_is_called_and_its_output_used(server: ReplayServer) -> None:
    lines = output(server, "function_calling.py", "What is the weather in Oslo?")
    assert lines == [
        'get_weather({"city": "Oslo"})',
        "The function said: Sunny in Oslo, 21 degrees.",
    ]
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
    lines = output(server, "out_of_band.py", "My bill is wrong.")
    assert sorted(lines) == [
        "Answer: You said: My bill is wrong.",
        "Label: You said: My bill is wrong.",
        "The conversation has 2 items.",
    ]


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


def test_azure_with_a_key(server: ReplayServer) -> None:
    more = azure(server, AZURE_OPENAI_API_KEY=KEY)
    assert output(server, "azure_text.py", "Hello.", **more) == ["You said: Hello."]
    [session] = server.sessions
    assert session.request_path == "/openai/v1/realtime?model=talker"
    assert session.headers["api-key"] == KEY
    assert "authorization" not in session.headers
    assert only(session.sent, "response.done")["response"]["output_modalities"] == ["text"]


def fake_az(folder: Path, script: str) -> str:
    """A PATH on which there is only a command `az`."""
    (folder / "az").write_text(f"#!{sys.executable} -IS\nimport sys\n{script}\n")
    (folder / "az").chmod(0o755)
    return str(folder)


def test_azure_with_a_token_of_entra(server: ReplayServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = fake_az(tmp_path, f"print(sys.argv[1:], file=open({str(log)!r}, 'w'))\nprint({KEY!r})")
    more = azure(server, PATH=path)
    assert output(server, "azure_text.py", "Hello.", **more) == ["You said: Hello."]
    [session] = server.sessions
    assert session.headers["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in session.headers
    asked = ["account", "get-access-token", "--resource", "https://ai.azure.com"]
    assert log.read_text() == f"{[*asked, '--query', 'accessToken', '--output', 'tsv']}\n"


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
