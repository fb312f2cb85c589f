"""Callers known by a key each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from mastra_core import Secret
from mastra_core.errors import ConfigError

__all__ = ("ApiKeys",)

_HASHED = "sha256:"


class ApiKeys:
    """Lets in whoever brings one of several keys; the user is ``{"id": NAME}``.

    :param keys: by the name of whom they belong to: a ``Secret``, a string, or ``sha256:`` and the
        key's digest in hex, which may lie in the code.
    :param confined: each key reaches only the memory of the resource that has its name.
    :raises ConfigError: for no keys at all, or a digest that is none.
    """

    def __init__(self, keys: Mapping[str, Secret | str], *, confined: bool = False) -> None:
        if not keys:
            raise ConfigError("ApiKeys has no keys.", 'Pass {"name": Secret.env("NAME_KEY")}.')
        self._keys = dict(keys)
        self._confined = confined
        self._digests: dict[str, bytes] = {
            name: _digest(name, key) for name, key in keys.items() if isinstance(key, str)
        }

    def authenticate(self, token: str, _: Any) -> dict[str, str] | None:
        """Whose key ``token`` is; how long it takes does not depend on how much of it is right.

        :raises ConfigError: when the environment variable of a key is not set.
        """
        given = hashlib.sha256(token.encode()).digest()
        names = [name for name in self._keys if hmac.compare_digest(self._known(name), given)]
        return {"id": names[0]} if names else None

    def resource(self, user: Mapping[str, str]) -> str:
        """The owner of the memory that ``user`` is confined to, empty where it is not."""
        return user["id"] if self._confined else ""

    def _known(self, name: str) -> bytes:
        """A key's digest; a variable is read when the first request comes, not at import."""
        if name not in self._digests:
            key = self._keys[name]
            self._digests[name] = _digest(name, key if isinstance(key, str) else key.reveal())
        return self._digests[name]


def _digest(name: str, key: str) -> bytes:
    if not key.startswith(_HASHED):
        return hashlib.sha256(Secret(key).reveal().encode()).digest()
    try:
        digest = bytes.fromhex(key.removeprefix(_HASHED))
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise ConfigError(
            f"The key {name!r} is no SHA-256 digest.", "Write sha256: and 64 digits in hex."
        )
    return digest
