"""Serve the app on the Unix socket that the handler names, until its end of stdin closes."""

import os
import socket
import sys
import threading


def watch_parent() -> None:
    """End this process as soon as the handler ends, however it ends."""
    sys.stdin.buffer.read()
    os._exit(0)


def serve_app(address: str) -> None:
    """Import the app, tell the handler that it may send requests, and serve them.

    :param address: path of the new Unix socket.
    """
    threading.Thread(target=watch_parent, daemon=True).start()
    import app_launcher  # type: ignore[import-not-found]  # beside this file in the function

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(128)
    os.write(3, b"ready\n")
    app_launcher.serve(listener)


if __name__ == "__main__":
    serve_app(sys.argv[1])
