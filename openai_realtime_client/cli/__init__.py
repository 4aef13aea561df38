"""The command line: `talk`, `serve`, `check` and `inspect`."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openai_realtime_client.cli.display import OutputError, Screen, show_error
from openai_realtime_client.version import __version__

__all__ = ["main"]

SCRIPT = "openai-realtime"
MODULE = "python -m openai_realtime_client"

# argparse replaces %(prog)s by the program and the command, as the user called it.
_ABOUT = "Realtime sessions: talk, serve, check a server, read a recording."
_EPILOG = """\
examples:
  %(prog)s talk
  %(prog)s talk --embedded --text
  %(prog)s serve --port 8000
  %(prog)s check http://127.0.0.1:8000/v1
  %(prog)s inspect session.jsonl

A terminal gets colours unless NO_COLOR is set; with FORCE_COLOR, pipes and
files get them, too. COLUMNS sets the width.
"""
_KEY = """\
The key is read from the environment, because all users of a machine see
command lines. For a server that needs none, set the variable to "".
"""

_TALK = """\
Talk with the model: the microphone goes in, the answer comes out of the
loudspeaker, and both transcripts appear as they grow. Speaking interrupts;
Ctrl-C ends. The service bills for the session. At the end come the turns,
the time from the end of each to the first of its answer, and the tokens.

Devices need miniaudio: pip install miniaudio. There is no echo cancellation:
use headphones.
"""
_TALK_EPILOG = f"""\
examples:
  %(prog)s
  %(prog)s --text --embedded
  %(prog)s --input question.wav --output a.wav

{_KEY}
exit status:
  0  the session was held, or ended by Ctrl-C
  1  it failed; one line on standard error says why
  2  wrong usage, or the output cannot be written
"""

_SERVE = """\
Serve the embedded server, which needs no key and no network, until Ctrl-C:
for browsers, JavaScript and any other client. What it answers is made up.
"""
_SERVE_EPILOG = """\
examples:
  %(prog)s --origin http://localhost:3000
  %(prog)s --tls cert.pem key.pem
"""

# Printed by `check` after its findings, too: they are no certificate.
REFERENCE = """\
The reference is the published schema, recordings and the embedded server. Not
checked: what a model says, turn detection, transcription, rate limits, timing.
"""
_CHECK = f"""\
Play scripted turns against a Realtime server, and print a line for each fault
in what it sends. A real service may bill for them. A fault is a deviation from
the schema; an event that is missing, out of order or twice; one that is wrong,
since others or the request contradict it; an error in place of an answer
(refused), or none for bad input (not refused); or a session that ended before
its turn did (closed).

{REFERENCE}"""
_CHECK_EPILOG = f"""\
--json prints one object a line for each finding, with the keys
  turn, kind, type, about, event (or null) and count

examples:
  %(prog)s http://127.0.0.1:8000/v1
  %(prog)s ws://localhost:8000 --protocol v1

{_KEY}
exit status:
  0  no findings
  1  there are findings
  2  wrong usage, or no session could be opened
"""

_INSPECT = """\
Show recorded sessions: a timeline, with consecutive deltas in one line, then
the events by type, tokens, errors, and deviations: what the schema does not
know. A ! in the timeline marks an event with a deviation.

A recording has one JSON object a line, an event with the side that sent it:
  {"from": "server", "at_ms": 12.5, "event": {"type": "session.created", ...}}
or the event alone; then its type shows who sent it.

With --protocol auto, the first event that departs from one protocol less than
from the others decides; where none of the first 50 events does, it is ga.
"""
_INSPECT_EPILOG = """\
--json prints one object a line for each file, with the keys
  file, protocol ("ga", "ga translation" or "v1"), events, duration_ms or null,
  types        [{from, type, count}]
  audio_bytes  {client, server}
  responses    how many have ended
  tokens       {total, input, input_text, ...}, summed up from response.done
  errors       [{event, type, code, message, count, line}]
  deviations   [{from, type, path, kind, values, count, line}]
where line is that of the first, "[*]" in a path is any index, and values holds
up to three that differ, each as JSON shortened to 60 characters.

examples:
  %(prog)s session.jsonl
  %(prog)s --quiet recordings/*.jsonl
  %(prog)s --html page.html session.jsonl
  %(prog)s --json s.jsonl | jq .deviations

exit status:
  0  no deviations
  1  there are deviations
  2  wrong usage, a file or line that cannot be read, or a file without events
"""


class _Parser(argparse.ArgumentParser):
    """Shows texts as they are written, and takes no abbreviated options."""

    def __init__(self, **options: Any) -> None:
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(formatter_class=raw, allow_abbrev=False, **options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Beside those in the help texts it is 130 after Ctrl-C, and 141 where the reader of a pipe went
    away, as for any program.
    """
    out, err = Screen(sys.stdout), Screen(sys.stderr)
    prog = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else MODULE
    try:
        status = _run_command(_build_parser(prog), argv, out, err)
        out.flush()
    except KeyboardInterrupt:
        return 130
    except OutputError as error:
        # Python would report the same error again when it ends.
        _drop_output()
        if isinstance(error.__cause__, BrokenPipeError):
            return 141
        show_error(err, prog, str(error))
        return 2
    return status


def _run_command(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, out: Screen, err: Screen
) -> int:
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:
        # argparse exits after --help and wrong usage; `main` returns the status instead.
        if isinstance(stop.code, int):
            return stop.code
        return 0
    if args.command is None:
        parser.print_help()
        return 0
    if args.command in ("talk", "check") and not args.embedded:
        # Azure has its own key, unless a variable is named.
        if args.api_key_env is None:
            args.api_key_env = "OPENAI_API_KEY"
            if args.azure:
                args.api_key_env = "AZURE_OPENAI_API_KEY"
        args.api_key = os.environ.get(args.api_key_env)
        if args.api_key is None:
            show_error(err, args.prog, f"there is no key in {args.api_key_env}: {args.hint}")
            return 2
    return _import_command(args.command)(args, out, err)


def _import_command(name: str) -> Callable[[argparse.Namespace, Screen, Screen], int]:
    """Import a command, which imports the models that `--help` does not need.

    Each by its literal name, so that PyInstaller finds it.
    """
    if name == "talk":
        from openai_realtime_client.cli.talk import run_talk as run
    elif name == "serve":
        from openai_realtime_client.cli.servers import run_serve as run
    elif name == "check":
        from openai_realtime_client.cli.servers import run_check as run
    else:
        from openai_realtime_client.cli.inspect import run_inspect as run
    return run


def _build_parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=prog, description=_ABOUT, epilog=_EPILOG)
    version = f"openai-realtime-openapi {__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    short_usage = "%(prog)s [OPTION ...]"

    about = "talk with the model by microphone, file or keyboard"
    talk = commands.add_parser(
        "talk", usage=short_usage, help=about, description=_TALK, epilog=_TALK_EPILOG
    )
    add = talk.add_argument
    server = talk.add_mutually_exclusive_group()
    server.add_argument("--embedded", action="store_true", help="with the embedded server; no key")
    server.add_argument("--url", type=_parse_url, help="the base URL of another server")
    server.add_argument(
        "--azure", metavar="URL", type=_parse_url, help="an endpoint of Azure OpenAI"
    )
    source = talk.add_mutually_exclusive_group()
    source.add_argument("--text", action="store_true", help="type; the answers are text, too")
    source.add_argument("--input", metavar="WAV", help="speak a file; - is standard input")
    add("--output", metavar="WAV", help="write the answers to a file")
    add("--fast", action="store_true", help="files as fast as can be, not at the pace of speech")
    add("--model", default="gpt-realtime-2.1", help="or Azure's deployment; default: %(default)s")
    add("--voice", help="the voice of the answers")
    add("--instructions", help="the instructions of the session")
    add("--record", metavar="FILE", help="record the session, for `inspect`")
    add("--events", action="store_true", help="print each event in place of the transcripts")
    add("--backend", metavar="NAME", help="the audio system, such as alsa; null has no devices")
    talk.set_defaults(hint="set the variable, or use --embedded to talk with the embedded server")
    _add_connection(talk)

    about = "serve the embedded server on a port"
    serve = commands.add_parser(
        "serve", usage=short_usage, help=about, description=_SERVE, epilog=_SERVE_EPILOG
    )
    add = serve.add_argument
    add("--host", default="127.0.0.1", help="default: %(default)s")
    add("--port", type=_parse_port, default=8000, help="0 is a free one; default: %(default)s")
    add("--tls", nargs=2, metavar=("CERT", "KEY"), help="serve TLS with these PEM files")
    add("--origin", action="append", default=[], help="an origin whose web pages may connect")

    about = "play scripted turns against a server and print its faults"
    check = commands.add_parser("check", help=about, description=_CHECK, epilog=_CHECK_EPILOG)
    add = check.add_argument
    add("url", metavar="URL", type=_parse_url, help="the base URL of the server")
    add("--protocol", choices=("ga", "v1"), default="ga", help="default: %(default)s")
    add("--model", help="default: gpt-realtime-2.1 or gpt-4o-realtime-preview")
    add("--json", action="store_true", help="print the findings as JSON")
    hint = 'set the variable, or set it to "" for a server that needs no key'
    check.set_defaults(hint=hint, azure=None, embedded=False)
    _add_connection(check)

    about = "show a recorded session, and what the schema does not know in it"
    inspect = commands.add_parser(
        "inspect", help=about, description=_INSPECT, epilog=_INSPECT_EPILOG
    )
    add = inspect.add_argument
    add("files", metavar="FILE", nargs="+", help="a recording; - is standard input")
    add("--protocol", choices=("ga", "v1", "auto"), default="auto", help="default: %(default)s")
    add("-q", "--quiet", action="store_true", help="no timeline")
    add("--json", action="store_true", help="print the summary as JSON")
    add("--html", metavar="PAGE", help="also write a page about the one FILE")

    for command in commands.choices.values():
        command.set_defaults(prog=command.prog)
    return parser


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(api_key="")
    # Never an option for the key itself: command lines are public.
    add = parser.add_argument
    about = "the environment variable with the key (default: OPENAI_API_KEY)"
    add("--api-key-env", metavar="NAME", help=about)
    about = "how long to wait for each event (default: %(default)g)"
    add("--timeout", metavar="SECONDS", type=_parse_seconds, default=30.0, help=about)


def _parse_url(text: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme in ("ws", "wss", "http", "https") and parts.hostname and parts.port != 0:
            return text
    # Without the text: there may be a key in it.
    raise argparse.ArgumentTypeError("invalid URL; expected wss://HOST or https://HOST")


def _parse_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _parse_seconds(text: str) -> float:
    value = math.nan
    with contextlib.suppress(ValueError):
        value = float(text)
    if not 0 < value <= 86400:  # also for NaN, which compares as false
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 to 86400")
    return value


def _drop_output() -> None:
    """Discard buffered output, so that Python reports no error when it ends.

    This is what https://docs.python.org/3/library/signal.html#note-on-sigpipe recommends.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        stdout = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)
