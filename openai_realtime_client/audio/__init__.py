"""Microphone and loudspeaker, on miniaudio: the extra `audio`."""

from openai_realtime_client.audio.devices import DeviceError, Microphone, Speaker

__all__ = ["DeviceError", "Microphone", "Speaker"]
