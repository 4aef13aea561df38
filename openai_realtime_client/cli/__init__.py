"""The command line: `demo` shows a session, `inspect` reads a recorded one."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from openai_realtime_client import __version__
from openai_realtime_client.cli.display import OutputClosedError, OutputError, Screen, show_error

__all__ = ["main"]

PROG = "python -m openai_realtime_client"
DEFAULT_KEY = "OPENAI_API_KEY"

_ABOUT = "A typed client for OpenAI's Realtime API: see a session, or a recorded one."
_EXIT = """
A terminal gets colours unless NO_COLOR is set; with FORCE_COLOR, pipes and
files get them, too. COLUMNS sets the width.
"""
_EPILOG = f"""\
examples:
  {PROG} demo
  {PROG} demo --json > session.jsonl
  {PROG} inspect session.jsonl
{_EXIT}"""

_DEMO = """\
Hold a session of the GA protocol, with a text turn and a tool call, and print
each event as it passes: -> from the client to the server, <- from the server.

Without --url, the server is one that comes with the package; it needs no key
and no network, and what it answers is made up. With --url the server is a real
one, which may bill for the session.
"""
_DEMO_EPILOG = f"""\
examples:
  {PROG} demo
  {PROG} demo --json > session.jsonl
  {PROG} demo --url wss://api.openai.com/v1

The key of a real service is read from the environment, because all users of a
machine see command lines. For a server that needs none, set it to "".

exit status:
  0  the session was held
  1  it failed; one line on standard error says why
  2  wrong usage, or the output cannot be written
{_EXIT}"""

_INSPECT = """\
Show recorded sessions: a timeline, with consecutive deltas in one line, then
the events by type, tokens, errors, and deviations: what the schema does not
know. A ! in the timeline marks an event with a deviation.

A recording has one JSON object a line, an event with the side that sent it:
  {"from": "server", "at_ms": 12.5, "event": {"type": "session.created", ...}}
or the event alone; then its type says who sent it.
"""
_INSPECT_EPILOG = f"""\
protocols:
  ga    that of OpenAI today, translation sessions included
  v1    the older realtime=v1
  auto  decides for each file: the first event that departs from one protocol
        less than from the others makes it that one. Where none of the first 50
        events does, it is ga.

--json prints one object a line for each file, with the keys
  file, protocol ("ga", "ga translation" or "v1"), events, duration_ms or null,
  types         [{{from, type, count}}]
  audio_bytes   {{client, server}}
  responses     how many have ended
  tokens        {{total, input, input_text, input_audio, input_image,
                 input_cached, input_cached_text, input_cached_audio,
                 input_cached_image, output, output_text, output_audio,
                 output_reasoning}}, summed up from response.done
  errors        [{{event, type, code, message, count, line}}]
  deviations    [{{from, type, path, kind, values, count, line}}]
where line is that of the first, "[*]" in a path is any index, and values holds
up to three that differ, each as JSON shortened to 60 characters.

examples:
  {PROG} inspect session.jsonl
  {PROG} inspect --quiet recordings/*.jsonl
  {PROG} inspect --json s.jsonl | jq .deviations

exit status:
  0  no deviations
  1  there are deviations
  2  wrong usage, a file or line that cannot be read, or a file without events
{_EXIT}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Beside those in the help texts it is 130 after Ctrl-C, and 141 where the reader of a pipe went
    away, as for any program.
    """
    out, err = Screen(sys.stdout), Screen(sys.stderr)
    try:
        status = _run(argv, out, err)
        out.flush()
    except KeyboardInterrupt:
        return 130
    except OutputClosedError:
        _drop_output()
        return 141
    except OutputError as error:
        show_error(err, PROG, str(error))
        _drop_output()
        return 2
    return status


def _run(argv: Sequence[str] | None, out: Screen, err: Screen) -> int:
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    # They import the models, which `--help` does not need.
    if args.command == "demo":
        from openai_realtime_client.cli import demo

        return demo.run(args, out, err)
    from openai_realtime_client.cli import inspect

    return inspect.run(args, out, err)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description=_ABOUT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"openai-realtime-openapi {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_demo(
        commands.add_parser(
            "demo",
            help="hold a session and print its events; needs no key and no network",
            description=_DEMO,
            epilog=_DEMO_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
    )
    _add_inspect(
        commands.add_parser(
            "inspect",
            help="show a recorded session, and what the schema does not know in it",
            description=_INSPECT,
            epilog=_INSPECT_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
    )
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(prog=parser.prog)
    parser.add_argument(
        "--url",
        type=_url,
        help="the base URL of a real service, such as wss://api.openai.com/v1",
    )
    parser.add_argument(
        "--api-key-env",
        metavar="NAME",
        default=DEFAULT_KEY,
        help="the environment variable with the key for --url (default: %(default)s)",
    )
    parser.add_argument("--model", default="gpt-realtime", help="default: %(default)s")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="how long to wait for each event (default: %(default)g)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a recording, which `inspect` reads"
    )


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(prog=parser.prog)
    parser.add_argument("files", metavar="FILE", nargs="+", help="a recording; - is standard input")
    parser.add_argument(
        "--protocol", choices=("ga", "v1", "auto"), default="auto", help="default: %(default)s"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no timeline")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("ws", "wss", "http", "https") and bool(parts.hostname)
        is_good = is_good and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        # Without the text: there may be a key in it.
        raise argparse.ArgumentTypeError("no URL that starts with wss://, https:// or the like")
    return text


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86400 or math.isnan(value):
        raise argparse.ArgumentTypeError("not between 0 and 86400")
    return value


_seconds.__name__ = "number"  # for the message about what is none


def _drop_output() -> None:
    """Drop what is still in buffers, so that Python reports no error when it ends."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        stdout = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)
