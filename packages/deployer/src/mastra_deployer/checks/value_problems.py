"""Check whether values of variables point to this machine or to a file; never show values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from mastra_core.pipeline import Environment, Problem, Target
from mastra_deployer.code_analysis.database_files import is_file_store
from mastra_deployer.plugins.variable_size import check_variable_size

__all__ = (
    "VOLUME_HINT",
    "check_values",
    "describe_lost_file",
    "find_local_host",
)

VOLUME_HINT = (
    "Run one instance, with a volume for the file. `mastra new host kubernetes`, compose or "
    "docker writes such a volume. For several instances:"
)
_NETWORK_HINT = "Use a database on the network."

_NAMES = ("localhost", "host.docker.internal", "host.containers.internal")
_INSIDE_A_CLUSTER = ".cluster.local"  # ends in .local, but is not a name of the local network
_ADDRESS = re.compile(r"[\w.-]+(:\d+)?|\[?[0-9a-f:.]+\]?(:\d+)?", re.IGNORECASE)
_DSN = re.compile(r"(?:^|\s)host=(\S+)", re.IGNORECASE)  # libpq: host=localhost dbname=shop


def check_values(
    target: Target, environment: Environment, values: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield a problem for each value of the app's variables that cannot work on a target.

    Nothing is sent anywhere.

    :param target: the target.
    :param environment: the app's variables.
    :param values: every known environment variable; only declared ones are checked.
    """
    if not (target.remote and target.stores_env):
        return
    declared = {name: values[name] for name in environment.names if values.get(name)}
    yield from check_variable_size(target, declared)
    for name in environment.names:
        value = values.get(name, "").strip()
        if is_file_store(value) and not target.persistent_disk:
            yield Problem(
                message=f"{name} points to a file, which {describe_lost_file(target)}",
                hint=f"{VOLUME_HINT} {_NETWORK_HINT}" if target.volumes else _NETWORK_HINT,
                severity="warning" if target.volumes else "error",
            )
        elif host := find_local_host(value):
            # Without a persistent disk nothing else runs beside the app.
            is_certain = "://" in value and not (target.persistent_disk or target.volumes)
            yield Problem(
                message=f"{name} points to this machine ({host}), but the app runs on "
                f"{target.name!r}.",
                hint="Set an address that the app can reach from its platform: --env-file FILE.",
                severity="error" if is_certain else "warning",
            )


def describe_lost_file(target: Target) -> str:
    """Return a relative clause, without ``which``, that says how long a target keeps a file.

    :param target: a target without a persistent disk.
    """
    if target.volumes:
        return f"{target.name!r} keeps only on a volume, and only for one instance."
    return f"{target.name!r} does not keep, because its disk is read-only or short-lived."


def find_local_host(value: str) -> str:
    """Return the host in a value, if the host is this machine or is in the local network.

    A list that also names other hosts is ignored, because it is probably a list of allowed hosts.

    :param value: a URL, ``host:port``, a host or a list of them.
    """
    hosts = [_parse_host(item.strip()) for item in value.split(",")]
    return hosts[0] if all(map(_is_local, hosts)) else ""


def _parse_host(item: str) -> str:
    """Return the host of a URL, of ``host:port`` or of a bare name; never a part of a password."""
    if match := _DSN.search(item):
        return match[1].lower()
    _, scheme, rest = item.partition("://")
    address = re.split(r"[/?#]", rest if scheme else item)[0].rpartition("@")[2]
    if not _ADDRESS.fullmatch(address):
        return ""
    if address.startswith("["):
        return address[1:].partition("]")[0].lower()
    return (address if address.count(":") > 1 else address.partition(":")[0]).lower()


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
