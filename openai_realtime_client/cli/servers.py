"""`serve` and `check`: the embedded server on a port, and the check of any server."""

from __future__ import annotations

import ssl
import threading
from argparse import Namespace
from dataclasses import asdict
from urllib.parse import urlsplit

from openai_realtime_client.cli import REFERENCE
from openai_realtime_client.cli.display import Screen, show_error, summarize
from openai_realtime_client.shared import ConnectionSettingsError, RealtimeConnectionError
from openai_realtime_client.testing.check import Finding, check_turns

__all__ = ["run_check", "run_serve"]

_COLOURS = {"deviation": "yellow", "missing": "yellow", "twice": "yellow", "out of order": "yellow"}


def run_check(args: Namespace, out: Screen, err: Screen) -> int:
    """Check the server and return the exit status."""
    # Printed turn by turn, since a check takes minutes; as JSON they come together at the end.
    findings: list[Finding] = []
    url: str = args.url
    if not args.json:
        out.line(("bold", "Check"), f": {urlsplit(url).hostname}, protocol {args.protocol}")
    options = {name: getattr(args, name) for name in ("protocol", "model", "api_key", "timeout")}
    try:
        for turn in check_turns(url, **options):
            findings += turn.findings
            if not args.json:
                out.line(("bold", turn.name), ("dim", f": {turn.events} events"))
                for finding in turn.findings:
                    kind = _COLOURS.get(finding.kind, "red"), f"  {finding.kind:<13}"
                    event = ""
                    if finding.event:
                        event = f" | {summarize(finding.event)}"
                    out.line(kind, f"{finding.type}: {finding.about}", rest=event)
    except (ConnectionSettingsError, RealtimeConnectionError, ImportError) as error:
        show_error(err, args.prog, str(error))
        return 2
    if args.json:
        for finding in findings:
            out.json_line(asdict(finding))
    else:
        out.line(("bold", "Findings"), f": {len(findings) or 'none'}")
        out.line(("dim", " ".join(REFERENCE.split())))
    return int(bool(findings))


def run_serve(args: Namespace, out: Screen, err: Screen) -> int:
    """Serve until Ctrl-C and return the exit status."""
    # Imported here because --help does not need it, and it may lack websockets.
    try:
        from openai_realtime_client.testing import ReplayServer

        context = None
        if args.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*args.tls)
        server = ReplayServer(
            host=args.host,
            port=args.port,
            allowed_origins=args.origin,
            ssl=context,
            keep_events=False,
        )
        with server:
            out.line(("bold", "Serving"), f": {server.url}, Ctrl-C ends it")
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (OSError, ImportError) as error:
        show_error(err, args.prog, f"cannot serve: {error}")
        return 1
    return 0
