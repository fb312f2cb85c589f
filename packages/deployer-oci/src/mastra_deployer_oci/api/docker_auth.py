"""Who we are at a registry: from the settings, else from Docker's own logins."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer_oci.api.reference import DOCKER_HUB

__all__ = ("Login", "find_stored_login", "login_from_credentials")

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER_TIMEOUT = 30  # seconds; a helper may ask the user
_IDENTITY = "<token>"  # what a credential helper calls a user that is a refresh token


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """A name and a password, or one of two kinds of token.

    :param refresh: a token that only gets other tokens, which ``docker login`` may keep.
    :param bearer: a token that is sent as it is.
    :param source: where it comes from, for people.
    """

    username: str = ""
    password: Secret | None = None
    refresh: Secret | None = None
    bearer: Secret | None = None
    source: str

    def to_basic_header(self) -> str:
        """The header of basic authentication; empty where there is no name."""
        if not self.username or self.password is None:
            return ""
        pair = f"{self.username}:{self.password.reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def login_from_credentials(credentials: Mapping[str, Secret]) -> Login | None:
    """What the user set for this deploy.

    :raises AuthError: for a name without a password, or the other way round.
    """
    username, password = credentials.get("OCI_USERNAME"), credentials.get("OCI_PASSWORD")
    if (bearer := credentials.get("OCI_TOKEN")) is not None:
        return Login(bearer=bearer, source="OCI_TOKEN")
    if username is None and password is None:
        return None
    if username is None or password is None:
        missing = "OCI_USERNAME" if username is None else "OCI_PASSWORD"
        raise AuthError(
            f"{missing} is not set.",
            "Set OCI_USERNAME and OCI_PASSWORD; a registry's access token is a password too.",
        )
    return Login(username=username.reveal(), password=password, source="OCI_USERNAME")


def find_stored_login(registry: str) -> Login | None:
    """What ``docker login`` kept: in its configuration, or with a credential helper.

    :raises AuthError: where a helper that is configured does not work.
    """
    config = _load_config()
    helper = (config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    for key in _list_config_keys(registry):
        login = _run_credential_helper(str(helper), key) if helper else None
        login = login or _parse_config_entry((config.get("auths") or {}).get(key))
        if login:
            return login
    return None


def _list_config_keys(registry: str) -> tuple[str, ...]:
    if registry == DOCKER_HUB:
        return _HUB_KEYS
    return (registry, f"https://{registry}", f"https://{registry}/v2/")


def _load_config() -> Mapping[str, Any]:
    directory = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        config = json.loads((Path(directory) / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _parse_config_entry(entry: Mapping[str, Any] | None) -> Login | None:
    source = "docker's config.json"
    if not entry:
        return None
    if refresh := entry.get("identitytoken"):
        return Login(refresh=Secret(refresh), source=source)
    try:
        pair = base64.b64decode(entry.get("auth") or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, _, password = pair.partition(":")
    if not username or not password:
        return None
    return Login(username=username, password=Secret(password), source=source)


def _run_credential_helper(helper: str, key: str) -> Login | None:
    """What ``docker-credential-HELPER get`` says of a registry."""
    name = f"docker-credential-{helper}"
    program = shutil.which(name)
    if program is None:
        raise AuthError(
            f"Docker's config.json names the credential helper {name!r}, which is not here.",
            "Install it, or set OCI_USERNAME and OCI_PASSWORD.",
        )
    try:
        process = subprocess.run(
            [program, "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
        credentials = json.loads(process.stdout) if process.returncode == 0 else {}
    except (OSError, subprocess.TimeoutExpired, ValueError):
        raise AuthError(
            f"The credential helper {name!r} does not work.",
            f"Try it: echo {key} | {name} get. Or set OCI_USERNAME and OCI_PASSWORD.",
        ) from None
    username, secret = credentials.get("Username", ""), credentials.get("Secret", "")
    if not secret:
        return None  # it knows no login for this registry
    if username == _IDENTITY:
        return Login(refresh=Secret(secret), source=name)
    return Login(username=username, password=Secret(secret), source=name)
