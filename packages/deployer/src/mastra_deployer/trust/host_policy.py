"""Decides which hosts may receive credentials.

A checkout is not trusted with where credentials go. A host needs the user's consent where a value
from the project's files names it: pyproject.toml, ``deployer=`` of the entry file, or ``.env``. A
host that the deployer's own code names needs none, and neither does one that the user named on the
command line or in the real environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mastra_core.errors import ConsentError
from mastra_deployer.trust.find_domain import find_domain
from mastra_deployer.trust.host_names import format_host
from mastra_deployer.trust.trust_store import TRUST_VARIABLE, is_trusted_host

__all__ = ("HostPolicy", "require_consent", "set_host_policy")


class HostPolicy:
    """The hosts of one command.

    :param values: texts of settings that come from the project's files, by setting.
    :param confirm: asks the user whether a host is trusted; receives the host and the setting.
        ``None`` if nobody can be asked.
    :param announce: shows a host that is about to receive credentials.
    """

    def __init__(
        self,
        values: Mapping[str, str],
        confirm: Callable[[str, str], bool] | None,
        announce: Callable[[str], None],
    ) -> None:
        self._values = values
        self._confirm = confirm
        self._announce = announce
        self._accepted: set[str] = set()
        self._shown: set[str] = set()

    def check_addresses(self) -> None:
        """Raise for each setting of the project that is an address whose host is not trusted.

        :raises ConsentError: naming the host and the setting.
        """
        for setting, text in self._values.items():
            if re.match(r"\s*https?:", text, re.IGNORECASE):
                self._require(format_host(text.strip()), setting)

    def check(self, url: str) -> None:
        """Raise for an address whose host the project names and the user does not trust.

        :param url: an absolute address.
        :raises ConsentError: naming the host and the setting.
        """
        host = format_host(url)
        setting, name = self._find_setting(host)
        if setting:
            self._require(host, setting, name)

    def announce(self, url: str) -> None:
        """Show the host of an address once.

        :param url: an absolute address.
        """
        host = format_host(url)
        if host not in self._shown:
            self._shown.add(host)
            self._announce(host)

    def _find_setting(self, host: str) -> tuple[str, str]:
        """Return the setting that names a host, and the name: the host, or a domain above it."""
        matches = [(setting, find_domain(text, host)) for setting, text in self._values.items()]
        return max(
            (match for match in matches if match[1]),
            key=lambda match: len(match[1]),
            default=("", ""),
        )

    def _require(self, host: str, setting: str, domain: str = "") -> None:
        """Raise unless the host is trusted, or the domain that its deployer derives it from."""
        is_derived = domain and host.endswith(f".{domain}")
        if host in self._accepted or is_trusted_host(host):
            return
        if is_derived and is_trusted_host(domain):
            return
        if self._confirm is not None and self._confirm(host, setting):
            self._accepted.add(host)
            return
        raise ConsentError(
            f"The project's own files name the host {host!r} ({setting}), and your credentials "
            "would be sent to it.",
            f"If you trust that host, run: mastra trust {host}. In CI, set {TRUST_VARIABLE}={host} "
            "in the environment, not in .env.",
        )


class _Current:
    """The policy of the command that runs; ``None`` if a deployer is used without a command."""

    policy: HostPolicy | None = None


def set_host_policy(policy: HostPolicy | None) -> None:
    """Set the policy that ``require_consent`` applies in this process.

    :param policy: that of the command that runs; ``None`` allows every host.
    """
    _Current.policy = policy


def require_consent(url: str, *, host_bound: bool = False) -> None:
    """Raise where credentials would go to a host that only the project's files name.

    ``connect`` calls this. Call it before credentials go anywhere over another client.

    :param url: the address that receives the credentials.
    :param host_bound: whether the user stored the credentials for this very host, as
        ``docker login`` does. Such credentials go to no other host, so they need no consent.
    :raises ConsentError: naming the host and the cure.
    """
    policy = _Current.policy
    if policy is None:
        return
    if not host_bound:
        policy.check(url)
    policy.announce(url)
