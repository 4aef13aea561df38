"""The state of a conversation: items, responses, usage, playback, and building events; no I/O."""
