"""The examples that need no audio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from example_programs import (
    EXAMPLES,
    KEY,
    Event,
    check,
    failed_response,
    failure,
    only,
    output,
    recorded,
    run,
    scripted,
    settings,
    types,
    wires,
)
from openai_realtime_client.testing import Answer, Call, Faults, McpTool, ReplayServer

# function_calling.py


def test_a_function_is_called_and_its_output_used(server: ReplayServer) -> None:
    lines = output(server, "function_calling.py", "What is the weather in Oslo?")
    assert lines == [
        'get_weather({"city": "Oslo"})',
        "The function said: Sunny in Oslo, 21 degrees.",
    ]
    [session] = server.sessions
    answered = ["conversation.item.create", "response.create"]
    assert types(session.received) == ["session.update", *answered, *answered]
    call = only(session.sent, "response.function_call_arguments.done")
    assert session.received[3].to_dict()["item"] == {
        "type": "function_call_output",
        "call_id": call["call_id"],
        "output": "Sunny in Oslo, 21 degrees.",
    }
    [tool] = session.received[0].to_dict()["session"]["tools"]
    assert tool["description"] == "Tells the weather in a city."
    assert tool["parameters"]["required"] == ["city"]
    assert tool["parameters"]["properties"]["city"]["type"] == "string"


def test_several_calls_are_answered_and_wrong_ones_too() -> None:
    calls = [
        Call("get_weather", {"city": "Oslo"}),
        Call("get_weather", {"city": "Rome"}),
        Call("get_time"),
        Call("get_weather", {"town": "Rome"}),
        Call("get_weather", '{"city": '),
    ]
    with ReplayServer(api_key=KEY, answers=[Answer(calls=calls), "Sunny."]) as server:
        done = run(server, "function_calling.py", "What is the weather?")
    assert done.returncode == 0
    # What was not run is logged.
    assert len(done.stderr.splitlines()) == 3
    assert done.stdout.splitlines() == [*(f"{call.name}({call.json})" for call in calls), "Sunny."]
    [session] = server.sessions
    sent = [wire["item"] for wire in wires(session.received) if "item" in wire][1:]
    called = [item["call_id"] for item in only_response(session.sent, "function_call")]
    outputs = {item["call_id"]: item["output"] for item in sent}
    assert sorted(outputs) == sorted(called)
    said = [outputs[call_id] for call_id in called]
    assert said[:2] == ["Sunny in Oslo, 21 degrees.", "Sunny in Rome, 21 degrees."]
    assert said[2] == "Error: there is no function get_time"
    assert said[3].startswith("Error: city: Missing required argument")
    assert said[4].startswith("Error: Invalid JSON")
    assert types(session.received).count("response.create") == 2


def only_response(sent: list[Any], item_type: str) -> list[Event]:
    """The output of the only response that has items of a type."""
    outputs = [wire["response"]["output"] for wire in wires(sent) if "response" in wire]
    [found] = [output for output in outputs if output and output[0]["type"] == item_type]
    return found  # type: ignore[no-any-return]


def test_function_calling_reports_what_went_wrong(server: ReplayServer) -> None:
    assert output(server, "function_calling.py", "Hello.") == ["You said: Hello."]
    assert len(server.sessions[0].received) == 3  # no function was called
    error = {"type": "error", "event_id": "e1", "error": {"type": "t", "message": "Not now."}}
    with scripted(recorded(server, {"response.created": lambda _: error})) as other:
        assert failure(other, "function_calling.py", "Hello.") == "Not now."
    with scripted(recorded(server, {"response.done": failed_response})) as other:
        assert failure(other, "function_calling.py", "Hello.") == "the response is failed"


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
    with ReplayServer(api_key=KEY, mcp={"tools": [McpTool("news", "Nothing is new.")]}) as server:
        done = subprocess.run(
            [sys.executable, EXAMPLES / "mcp_approval.py", "https://example.com/mcp", "News?"],
            env=settings(server),
            input=f"{typed}\n",
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
    check(server)
    assert (done.returncode, done.stderr) == (0, "")
    said = "The function said: Nothing is new." if approve else "The call was not approved."
    assert done.stdout == f"Run tools.news({{}})? [y/N] {said}\n"
    [session] = server.sessions
    outputs = [wire["response"]["output"] for wire in wires(session.sent) if "response" in wire]
    [request] = [item for [item, *_] in filter(None, outputs) if "request" in item["type"]]
    items = [wire["item"] for wire in wires(session.received) if "item" in wire]
    assert items[-1]["approve"] is approve
    assert items[-1]["approval_request_id"] == request["id"]


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


def test_azure_without_a_token_connects_to_nothing(server: ReplayServer, tmp_path: Path) -> None:
    path = fake_az(tmp_path, "sys.exit('Please run az login.')")
    done = run(server, "azure_text.py", "Hello.", **azure(server, PATH=path))
    assert done.returncode == 1
    assert "Please run az login." in done.stderr
    assert server.sessions == []


FAILURE = {"type": "t", "code": "insufficient_quota", "message": "The quota is used up."}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("azure_text.py", ["Hi."]),
        ("barge_in.py", ["Tell me a story.", "Stop."]),
        ("function_calling.py", ["Hi."]),
        ("mcp_approval.py", ["https://example.com/mcp", "Hi."]),
        ("out_of_band.py", ["Hi."]),
    ],
)
def test_failed_response_ends_the_program_with_its_reason(name: str, arguments: list[str]) -> None:
    tools = {"tools": [McpTool("news", "Nothing is new.")]}
    with ReplayServer(
        api_key=KEY, answers=lambda items: Answer(error=FAILURE), mcp=tools
    ) as server:
        more = azure(server, AZURE_OPENAI_API_KEY=KEY) if name == "azure_text.py" else {}
        said = failure(server, name, *arguments, **more)
    assert said == "The quota is used up. (insufficient_quota)"


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [
        ("azure_text.py", ["Hi."], 4),
        ("barge_in.py", ["Tell me a story.", "Stop."], 4),
        ("function_calling.py", ["Hi."], 5),
        ("mcp_approval.py", ["https://example.com/mcp", "Hi."], 9),
        ("transcription.py", [str(EXAMPLES / "question.wav")], 5),
    ],
)
def test_session_that_ends_without_an_answer_is_a_failure(
    name: str, arguments: list[str], count: int
) -> None:
    faults = Faults(close_after=count, close_code=1000)
    with ReplayServer(api_key=KEY, faults=faults, mcp={"tools": []}) as server:
        more = azure(server, AZURE_OPENAI_API_KEY=KEY) if name == "azure_text.py" else {}
        assert failure(server, name, *arguments, **more).startswith("The session ended ")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("barge_in.py", ["Tell me a story.", "Stop."], "The answer is too short to interrupt."),
        ("mcp_approval.py", ["https://example.com/mcp", "Hi."], ""),
    ],
)
def test_empty_answer_ends_the_program(name: str, arguments: list[str], said: str) -> None:
    with ReplayServer(api_key=KEY, answers=lambda items: Answer(), mcp={"tools": []}) as server:
        done = run(server, name, *arguments)
    assert (done.returncode, done.stderr.strip()) == (1 if said else 0, said)


# without_key.py


def test_without_key_serves_another_example(server: ReplayServer, question: Path) -> None:
    nothing = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": ""}
    call = EXAMPLES / "function_calling.py"
    lines = output(server, "without_key.py", call, "What is the weather in Oslo?", **nothing)
    assert lines[-1] == "The function said: Sunny in Oslo, 21 degrees."
    azure = output(server, "without_key.py", EXAMPLES / "azure_text.py", "Hello.", **nothing)
    assert azure == ["You said: Hello."]
    done = run(server, "without_key.py", EXAMPLES / "transcription.py", "missing.wav", **nothing)
    assert done.returncode == 1
    assert "No such file or directory: 'missing.wav'" in done.stderr
    assert server.sessions == []
