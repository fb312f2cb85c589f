"""Decide which hosts may receive credentials.

The project's files must not decide alone where credentials are sent. If pyproject.toml,
``deployer=`` of the entry file or ``.env`` names a host, the host needs the user's consent. Hosts
in the deployer's own code, from the command line and from the real environment need no consent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mastra_core.errors import ConsentError
from mastra_deployer.trust.host_names import format_host
from mastra_deployer.trust.trust_store import TRUST_VARIABLE, is_trusted_host

__all__ = ("HostPolicy", "require_consent", "set_host_policy")


class HostPolicy:
    """The hosts that one command may send credentials to.

    :param values: the text values of settings that come from the project's files, by the name of
        the setting.
    :param confirm: asks the user whether a host is trusted; receives the host and the setting.
        ``None`` means that nobody can be asked.
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
        """Raise an error if a setting in the project's files is an address of an untrusted host.

        :raises ConsentError: when the user does not trust the host; the error names the setting.
        """
        for setting, text in self._values.items():
            if re.match(r"\s*https?:", text, re.IGNORECASE):
                self._require(format_host(text.strip()), setting)

    def check(self, url: str) -> None:
        """Raise an error for a URL whose host the project names and the user does not trust.

        :param url: an absolute address.
        :raises ConsentError: when the user does not trust the host; the error names the setting.
        """
        host = format_host(url)
        setting, name = self._find_setting(host)
        if setting:
            self._require(host, setting, name)

    def announce(self, url: str) -> None:
        """Show the user the host of an address, unless it was shown before.

        :param url: an absolute address.
        """
        host = format_host(url)
        if host not in self._shown:
            self._shown.add(host)
            self._announce(host)

    def _find_setting(self, host: str) -> tuple[str, str]:
        """Return the setting that names a host or its longest parent domain, and that name."""
        from mastra_deployer.trust.find_domain import find_domain  # most commands send nothing

        matches = [(setting, find_domain(text, host)) for setting, text in self._values.items()]
        return max(
            (match for match in matches if match[1]),
            key=lambda match: len(match[1]),
            default=("", ""),
        )

    def _require(self, host: str, setting: str, domain: str = "") -> None:
        """Raise an error if the user trusts neither the host nor the domain in the setting."""
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
    """The policy of the current command; ``None`` if a deployer is used without a command."""

    policy: HostPolicy | None = None


def set_host_policy(policy: HostPolicy | None) -> None:
    """Set the policy for all calls of ``require_consent`` in this process.

    :param policy: the policy of the command that is running; ``None`` allows every host.
    """
    _Current.policy = policy


def require_consent(url: str, *, host_bound: bool = False) -> None:
    """Raise an error if credentials would be sent to a host that only the project names.

    ``connect`` calls this function. If you send credentials with another client, call
    ``require_consent`` first.

    :param url: the address that receives the credentials.
    :param host_bound: whether the user stored the credentials for exactly this host, as ``docker
        login`` does. Credentials that are bound to a host are sent to no other host, so they need
        no consent.
    :raises ConsentError: when the user does not trust the host; the hint has the command to trust
        it.
    """
    policy = _Current.policy
    if policy is None:
        return
    if not host_bound:
        policy.check(url)
    policy.announce(url)
