"""msgspec at its best: tagged structs by hand, for the events that are measured and no others.

What they do not name is dropped while parsing, and enums are plain strings: less than the package
does, and the mark that it is held to.
"""
# ruff: noqa: D101 - the tags tell what the classes are.

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Sent(Struct, omit_defaults=True):
    """What a client can send; fields left at their defaults are not sent."""


class AudioFormat(Sent):
    type: str
    rate: int | None = None


class Transcription(Sent):
    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class NoiseReduction(Sent):
    type: str


class ServerVad(Sent, tag="server_vad"):
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    idle_timeout_ms: int | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class SemanticVad(Sent, tag="semantic_vad"):
    eagerness: str | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class AudioInput(Sent):
    format: AudioFormat | None = None
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: ServerVad | SemanticVad | None = None


class AudioOutput(Sent):
    format: AudioFormat | None = None
    voice: str | None = None
    speed: float | None = None


class Audio(Sent):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class FunctionTool(Sent, tag="function"):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class McpTool(Sent, tag="mcp"):
    server_label: str
    server_url: str | None = None


class Session(Sent, tag="realtime"):
    id: str | None = None
    object: str | None = None
    expires_at: int | None = None
    output_modalities: list[str] | None = None
    model: str | None = None
    instructions: str | None = None
    audio: Audio | None = None
    include: list[str] | None = None
    tracing: str | dict[str, Any] | None = None
    tools: list[FunctionTool | McpTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    max_output_tokens: int | str | None = None
    truncation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None


class Content(Sent):
    type: str
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None


class Message(Sent, tag="message"):
    role: str
    content: list[Content]
    id: str | None = None
    object: str | None = None
    status: str | None = None


class FunctionCall(Sent, tag="function_call"):
    name: str
    arguments: str
    call_id: str | None = None
    id: str | None = None
    object: str | None = None
    status: str | None = None


class FunctionCallOutput(Sent, tag="function_call_output"):
    call_id: str
    output: str
    id: str | None = None
    object: str | None = None
    status: str | None = None


class ItemReference(Sent, tag="item_reference"):
    id: str


Item = Message | FunctionCall | FunctionCallOutput | ItemReference


class Tokens(Sent):
    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cached_tokens: int | None = None
    cached_tokens_details: Tokens | None = None


class Usage(Struct):
    total_tokens: int
    input_tokens: int
    output_tokens: int
    input_token_details: Tokens
    output_token_details: Tokens


class StatusDetails(Sent):
    type: str | None = None
    reason: str | None = None
    error: dict[str, Any] | None = None


class Response(Sent):
    id: str
    object: str
    status: str
    output: list[Item]
    status_details: StatusDetails | None = None
    metadata: dict[str, str] | None = None
    audio: Audio | None = None
    usage: Usage | None = None
    conversation_id: str | None = None
    output_modalities: list[str] | None = None
    max_output_tokens: int | str | None = None


class SessionCreated(Struct, tag="session.created"):
    event_id: str
    session: Session


class ItemAdded(Struct, tag="conversation.item.added"):
    event_id: str
    item: Item
    previous_item_id: str | None = None


class AudioDelta(Struct, tag="response.output_audio.delta"):
    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


class TranscriptDelta(Struct, tag="response.output_audio_transcript.delta"):
    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str
    obfuscation: str | None = None


class ResponseDone(Struct, tag="response.done"):
    event_id: str
    response: Response


class RateLimit(Struct):
    name: str
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(Struct, tag="rate_limits.updated"):
    event_id: str
    rate_limits: list[RateLimit]


class SpeechStarted(Struct, tag="input_audio_buffer.speech_started"):
    event_id: str
    audio_start_ms: int
    item_id: str


class ErrorBody(Struct):
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class Error(Struct, tag="error"):
    event_id: str
    error: ErrorBody


ServerEvent = (
    SessionCreated
    | ItemAdded
    | AudioDelta
    | TranscriptDelta
    | ResponseDone
    | RateLimitsUpdated
    | SpeechStarted
    | Error
)


class Append(Sent, tag="input_audio_buffer.append"):
    audio: str
    event_id: str | None = None


class SessionUpdate(Sent, tag="session.update"):
    session: Session
    event_id: str | None = None


class ResponseParams(Sent):
    output_modalities: list[str] | None = None
    instructions: str | None = None
    audio: Audio | None = None
    tools: list[FunctionTool | McpTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    max_output_tokens: int | str | None = None
    conversation: str | None = None
    metadata: dict[str, str] | None = None
    prompt: dict[str, Any] | None = None
    input: list[Item] | None = None


class ResponseCreate(Sent, tag="response.create"):
    response: ResponseParams | None = None
    event_id: str | None = None


ClientEvent = Append | SessionUpdate | ResponseCreate
