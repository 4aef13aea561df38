"""`serve`: the embedded server on a port, for any client."""

from __future__ import annotations

import ssl
import threading
from argparse import Namespace

from openai_realtime_client.cli.display import Screen, show_error

__all__ = ["run_serve"]


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
