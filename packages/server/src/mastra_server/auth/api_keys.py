"""Authenticate callers by API key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from mastra_core import Secret
from mastra_core.arguments.argument_types import check_types
from mastra_core.errors import ConfigError

__all__ = ("ApiKeys",)

_DIGEST_PREFIX = "sha256:"


class ApiKeys:
    """Accept callers with one of several keys; the user is ``{"id": NAME}``.

    :param keys: a mapping of the owners' names to their keys. A key is a ``Secret``, a string, or
        ``sha256:`` and the hex digest of the key. The digest may be stored in the code.
    :param restrict_memory: whether each caller may access only the memory of one resource, whose id
        is the name of the caller's key.
    :raises ConfigError: for an empty mapping, an empty key, an invalid digest, or an argument of
        the wrong type.
    """

    def __init__(self, keys: Mapping[str, Secret | str], *, restrict_memory: bool = False) -> None:
        check_types(locals(), ApiKeys.__init__.__annotations__)
        if not keys:
            raise ConfigError("ApiKeys has no keys.", 'Pass {"name": Secret.env("NAME_KEY")}.')
        self._keys = dict(keys)
        self._restrict_memory = restrict_memory
        self._digests: dict[str, bytes] = {
            name: _compute_digest(name, key)
            for name, key in keys.items()
            if not isinstance(key, Secret)  # the variable of a secret may be unset in a build
        }

    def authenticate(self, token: str, _: Any) -> dict[str, str] | None:
        """Return the owner of ``token``; the comparison takes constant time.

        :param token: the key of the caller.
        :param _: the connection, which is not used.
        :returns: the user, ``None`` for an unknown key.
        :raises ConfigError: when the environment variable of a key is not set.
        """
        digest = hashlib.sha256(token.encode()).digest()
        names = [name for name in self._keys if hmac.compare_digest(self._get_digest(name), digest)]
        return {"id": names[0]} if names else None

    def list_variables(self) -> list[str]:
        """Return the names of the environment variables that contain keys."""
        return [key.name for key in self._keys.values() if isinstance(key, Secret) and key.name]

    def resource(self, user: Mapping[str, str]) -> str:
        """Return the only resource that ``user`` may access; empty without a restriction.

        :param user: the user.
        """
        return user["id"] if self._restrict_memory else ""

    def _get_digest(self, name: str) -> bytes:
        """Return the digest of a key, whose variable is first read at the first request."""
        if name not in self._digests:
            key = self._keys[name]
            self._digests[name] = _compute_digest(
                name, key if isinstance(key, str) else key.reveal()
            )
        return self._digests[name]


def _compute_digest(name: str, key: Any) -> bytes:
    if not isinstance(key, str) or not key.startswith(_DIGEST_PREFIX):
        return hashlib.sha256(Secret(key).reveal().encode()).digest()
    try:
        digest = bytes.fromhex(key.removeprefix(_DIGEST_PREFIX))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise ConfigError(
            f"The key of {name!r} is not a SHA-256 digest.",
            "Write 'sha256:' followed by 64 hexadecimal digits.",
        )
    return digest
