"""What an application writes; `make types` checks it strictly, and the tests run it."""

from __future__ import annotations

from openai_realtime_client.v1 import (
    RealtimeClientEventResponseCreate,
    RealtimeClientEventSessionUpdate,
    RealtimeResponse,
    RealtimeResponseCreateParams,
    RealtimeServerEvent,
    RealtimeServerEventError,
    RealtimeServerEventResponseAudioDelta,
    RealtimeServerEventResponseDone,
    RealtimeSessionCreateRequest,
    RealtimeSessionTurnDetection,
    UnknownEvent,
    VoiceIdsSharedEnum,
    parse_server_event,
)


def describe(event: RealtimeServerEvent) -> str:
    """Tell about an event by its class."""
    match event:
        case RealtimeServerEventResponseAudioDelta():
            return f"{len(event.delta)} characters of audio for item {event.item_id}"
        case RealtimeServerEventResponseDone():
            return summary(event.response)
        case RealtimeServerEventError():
            return event.error.message
        case UnknownEvent():
            return f"unknown: {event.type}"
        case _:
            return event.type


def summary(response: RealtimeResponse) -> str:
    """Status and tokens of a response."""
    status = response.status or RealtimeResponse.StatusEnum.INCOMPLETE
    tokens = response.usage.total_tokens if response.usage else None
    output = response.output or []
    names = [item.name for item in output if item.name is not None]
    return f"{status} (known: {status.is_known}), {tokens} tokens, calls {names}"


def requests() -> list[str]:
    """Two client events as JSON."""
    update = RealtimeClientEventSessionUpdate(
        session=RealtimeSessionCreateRequest(
            voice=VoiceIdsSharedEnum.ASH,
            temperature=1,
            turn_detection=RealtimeSessionTurnDetection(
                type=RealtimeSessionTurnDetection.TypeEnum.SERVER_VAD, threshold=0.5
            ),
            input_audio_transcription=None,
        )
    )
    create = RealtimeClientEventResponseCreate(
        response=RealtimeResponseCreateParams(
            modalities=[RealtimeResponseCreateParams.ModalitiesEnum.TEXT],
            voice="a voice of another server",
            max_response_output_tokens=100,
        )
    )
    return [update.to_json(), create.to_json()]


def main() -> None:
    """Print what the above gives."""
    text = '{"type":"response.done","event_id":"e1","response":{"status":"completed","output":[]}}'
    event = parse_server_event(text)
    print(describe(event))
    print(describe(parse_server_event(b'{"type":"ping"}')))
    print(*requests(), sep="\n")


if __name__ == "__main__":
    main()
