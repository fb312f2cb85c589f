"""Find the login for a registry, in the deploy's credentials or in Docker's configuration."""

from __future__ import annotations

import base64
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mastra_core.errors import AuthError
from mastra_core.secret import Secret
from mastra_deployer_oci.api.reference import DOCKER_HUB

__all__ = ("Login", "find_stored_login", "login_from_credentials")

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER_TIMEOUT = 30  # seconds; a helper may prompt the user
_IDENTITY = "<token>"  # user name by which a helper marks its secret as an identity token
# A base image may be in another registry, where these variables do not apply.
_OWN_LOGIN = "For the registry of the image itself, you can set OCI_USERNAME and OCI_PASSWORD."


class _ConfigEntry(msgspec.Struct):
    auth: str | None = None
    identity_token: str | None = msgspec.field(default=None, name="identitytoken")


class _DockerConfig(msgspec.Struct):
    auths: dict[str, _ConfigEntry] | None = None
    helpers: dict[str, str] | None = msgspec.field(default=None, name="credHelpers")
    store: str | None = msgspec.field(default=None, name="credsStore")


class _HelperAnswer(msgspec.Struct):
    username: str = msgspec.field(default="", name="Username")
    password: str = msgspec.field(default="", name="Secret")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Login:
    """A user name with a password, an identity token, or a bearer token.

    :param username: name of the user; empty for a token.
    :param password: password of the user.
    :param refresh: identity token, as ``docker login`` may store it; it is exchanged for bearer
        tokens.
    :param bearer: bearer token, which is sent unchanged.
    :param source: where the login comes from, for messages.
    :param host: the only host that the login is for; empty if the login may go to any host.
    """

    username: str = ""
    password: Secret | None = None
    refresh: Secret | None = None
    bearer: Secret | None = None
    source: str
    host: str = ""

    def to_basic_header(self) -> str:
        """Return the header for basic authentication; empty without a user name and a password."""
        if not self.username or self.password is None:
            return ""
        pair = f"{self.username}:{self.password.reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def login_from_credentials(credentials: Mapping[str, Secret]) -> Login | None:
    """Return the login from the credentials of the deploy.

    :param credentials: values of ``OCI_TOKEN``, or of ``OCI_USERNAME`` and ``OCI_PASSWORD``.
    :returns: the login, or ``None`` when no credential is set.
    :raises AuthError: when only one of user name and password is set.
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
            "Set OCI_USERNAME and OCI_PASSWORD. The password may be an access token.",
        )
    return Login(username=username.reveal(), password=password, source="OCI_USERNAME")


def find_stored_login(registry: str) -> Login | None:
    """Return the login that ``docker login`` stored, in a file or a credential helper.

    :param registry: host of the registry.
    :returns: the login, or ``None`` when Docker has none for the registry.
    :raises AuthError: when the configured credential helper is missing or fails.
    """
    config, keys = _load_config(), _list_config_keys(registry)
    helpers = config.helpers or {}
    helper = next((helpers[key] for key in (registry, *keys) if key in helpers), config.store)
    for key in keys:
        login = _run_credential_helper(helper, key) if helper else None
        login = login or _parse_config_entry((config.auths or {}).get(key))
        if login:
            return dataclasses.replace(login, host=registry)
    return None


def _list_config_keys(registry: str) -> tuple[str, ...]:
    if registry == DOCKER_HUB:
        return _HUB_KEYS
    return (registry, f"https://{registry}", f"https://{registry}/v2/")


def _load_config() -> _DockerConfig:
    """Read Docker's configuration; a file that Docker did not write counts as empty."""
    try:
        directory = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
        content = (Path(directory) / "config.json").read_bytes()
        return msgspec.json.decode(content, type=_DockerConfig)
    except (OSError, RuntimeError, msgspec.DecodeError, UnicodeDecodeError):
        return _DockerConfig()  # a RuntimeError means that the user has no home directory


def _parse_config_entry(entry: _ConfigEntry | None) -> Login | None:
    source = "Docker's config.json"
    if entry is None:
        return None
    if entry.identity_token:
        return Login(refresh=Secret(entry.identity_token), source=source)
    try:
        pair = base64.b64decode(entry.auth or "").decode()
    except ValueError:  # the value is not base64, or not a text
        return None
    username, _, password = pair.partition(":")
    if not username or not password:
        return None
    return Login(username=username, password=Secret(password), source=source)


def _run_credential_helper(helper: str, key: str) -> Login | None:
    """Run ``docker-credential-HELPER get`` for a registry."""
    name = f"docker-credential-{helper}"
    program = shutil.which(name)
    if program is None or not Path(program).is_absolute():  # "." in PATH is the project
        raise AuthError(
            f"Docker's config.json names the credential helper {name!r}, which is not installed.",
            f"Install the helper, or remove it from config.json. {_OWN_LOGIN}",
        )
    try:
        process = subprocess.run(
            [program, "get"],
            input=key,
            capture_output=True,
            encoding="utf-8",
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
        output = process.stdout if process.returncode == 0 else "{}"
        answer = msgspec.json.decode(output, type=_HelperAnswer)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        raise AuthError(
            f"The credential helper {name!r} failed.",
            f"To test the helper, run: echo {key} | {name} get. {_OWN_LOGIN}",
        ) from None
    if not answer.password:
        return None  # the helper has no login for this registry
    if answer.username == _IDENTITY:
        return Login(refresh=Secret(answer.password), source=name)
    return Login(username=answer.username, password=Secret(answer.password), source=name)
