"""What a variable's value points at: this machine, or a file. Values are never shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from mastra_core.pipeline import Environment, Problem, Target

__all__ = ("is_file_store", "local_host", "value_problems")

_NAMES = ("localhost", "host.docker.internal", "host.containers.internal")
_INSIDE_A_CLUSTER = ".cluster.local"  # ends like a name of the local network, and is none
_STORES = re.compile(r"(sqlite3?|sqlite\+\w+|duckdb|libsql:file|file):(?!/*$)", re.IGNORECASE)
_FILE = re.compile(r"[^\s:,;]+\.(db|db3|sqlite|sqlite3|duckdb)", re.IGNORECASE)
_NO_FILE = (":memory:", "mode=memory", "immutable=1", "mode=ro")
_PLACE = re.compile(r"[\w.-]+(:\d+)?|\[?[0-9a-f:.]+\]?(:\d+)?", re.IGNORECASE)
_DSN = re.compile(r"(?:^|\s)host=(\S+)", re.IGNORECASE)  # libpq: host=localhost dbname=shop


def value_problems(
    target: Target, declared: Environment, values: Mapping[str, str]
) -> Iterator[Problem]:
    """Values of the app's variables that cannot be meant for ``target``; offline.

    :param values: every variable there is a value for; only declared ones are looked at.
    """
    if not (target.elsewhere and target.stores_env):
        return
    for name in declared.names:
        value = values.get(name, "").strip()
        if is_file_store(value) and not target.keeps_files:
            yield Problem(
                message=f"{name} points at a file, and {target.name!r} keeps none: its disk is "
                "read-only or short-lived.",
                hint="Use a database on the network.",
            )
        elif host := local_host(value):
            # Where instances come and go, nothing runs beside the app: no address is its own.
            certain = "://" in value and not target.keeps_files
            yield Problem(
                message=f"{name} points at this machine ({host}), and the app runs on "
                f"{target.name!r}.",
                hint="Set the address that the app reaches from there: --env-file FILE.",
                severity="error" if certain else "warning",
            )


def local_host(value: str) -> str:
    """The host that a value names, where that is this machine or its own network.

    Nothing for a list that names other hosts too: it says what is allowed, not where to go.
    """
    hosts = [_host(item.strip()) for item in value.split(",")]
    return hosts[0] if all(map(_is_local, hosts)) else ""


def is_file_store(value: str) -> bool:
    """Whether a value names a database in a file, which is written to."""
    if any(word in value.lower() for word in _NO_FILE):
        return False
    return bool(_STORES.match(value) or _FILE.fullmatch(value))


def _host(item: str) -> str:
    """The host of an URL, of ``host:port`` or of a bare name; never anything of a password."""
    if found := _DSN.search(item):
        return found[1].lower()
    _, scheme, rest = item.partition("://")
    place = re.split(r"[/?#]", rest if scheme else item)[0].rpartition("@")[2]
    if not _PLACE.fullmatch(place):
        return ""
    if place.startswith("["):
        return place[1:].partition("]")[0].lower()
    return (place if place.count(":") > 1 else place.partition(":")[0]).lower()


def _is_local(host: str) -> bool:
    if host in _NAMES or host.endswith(".localhost"):
        return True
    if host.endswith(".local"):
        return not host.endswith(_INSIDE_A_CLUSTER)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified
