"""Serve the Python side of an unpacked function over TCP, without Node.

PYTHON python_side_child.py DIRECTORY PORT-FILE

The function's own Python runs this file. The file imports only the standard library.
"""

import socket
import sys
from pathlib import Path


def main(directory: str, port_file: str) -> None:
    """Serve the app on a free port of this machine, and write the port to a file.

    :param directory: directory of the unpacked function.
    :param port_file: path of the file to which the port is written.
    """
    sys.path[0] = directory
    import host  # type: ignore[import-not-found]  # host_child.py, as the function names it

    listener = socket.create_server(("127.0.0.1", 0))
    host.serve_app(listener, lambda: write_port(listener.getsockname()[1], port_file))


def write_port(port: int, file: str) -> None:
    """Write a port to a file, so that a reader never sees a part of the port.

    :param port: the port.
    :param file: path of the file to which the port is written.
    """
    draft = Path(f"{file}.new")
    draft.write_text(str(port), encoding="ascii", newline="")
    draft.replace(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
