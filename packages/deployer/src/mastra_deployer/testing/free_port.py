"""Find a port for a program that opens the port itself."""

from __future__ import annotations

import contextlib
import random

from mastra_core.errors import ConfigError
from mastra_deployer.kit import check_port

__all__ = ("find_free_port",)

# Systems give ports above this range to sockets without a port of their own. Such a socket of
# another test could take the port before the program opens it.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 100


def find_free_port() -> int:
    """Return a port of this machine that no server uses."""
    ports = random.sample(_PORTS, _ATTEMPTS)  # parallel tests need different ports
    for port in ports:
        with contextlib.suppress(ConfigError):  # the port is in use
            return check_port("127.0.0.1", port)
    raise AssertionError(f"no port is free among {ports}")
