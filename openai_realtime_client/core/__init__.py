"""Models, open enums, unions, events, errors, URLs and keys; no I/O."""
