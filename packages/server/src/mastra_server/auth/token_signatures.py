"""Define the interface that verifies tokens, and implement it with PyJWT and cryptography."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mastra_core.logger import get_logger

__all__ = ("LibrarySignatures", "Signatures", "read_key_set")


def read_key_set(body: bytes) -> list[dict[str, Any]]:
    """Return those keys of a JSON Web Key Set that may verify signatures.

    Malformed keys are left out, so that they do not stop the others. Private keys are also left
    out: a key set is public, so anybody could sign tokens with them.

    :param body: the key set as JSON.
    :raises ValueError: if ``body`` is not a key set.
    """
    content = json.loads(body)
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list):
        raise ValueError("The response is not a JSON Web Key Set.")  # noqa: TRY004  # not an argument
    return [each for each in keys if isinstance(each, dict) and _is_public(each)]


def _is_public(key: Mapping[str, Any]) -> bool:
    key_id = key.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        return False
    if "d" in key:
        get_logger("mastra.server").warning(
            "the key %r of the issuer is private, so it is ignored", key_id
        )
        return False
    return True


class Signatures(Protocol):
    """Reads the keys of an issuer, and verifies tokens with them."""

    def parse_keys(self, body: bytes) -> dict[str | None, Any]:
        """Return the public keys of a key set, by key id.

        :param body: the key set as JSON.
        :raises ValueError: if ``body`` is not a key set.
        """

    async def decode(
        self, token: str, key: Any, algorithms: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Verify a token, and return its claims.

        :param token: the token.
        :param key: a key that ``parse_keys`` returned, a shared secret, or a public key in PEM.
        :param algorithms: the accepted algorithms.
        :param options: further arguments of ``jwt.decode``, which check the claims.
        :raises jwt.PyJWTError: when any check fails.
        """


class LibrarySignatures:
    """Verifies signatures with PyJWT and cryptography."""

    def parse_keys(self, body: bytes) -> dict[str | None, Any]:
        """Return the public keys of a key set, by key id.

        A key without ``alg`` is returned as a key of ``cryptography``, which fits every algorithm
        of its type. PyJWT's own keys fit only one algorithm.

        :param body: the key set as JSON.
        :raises ValueError: if ``body`` is not a key set.
        """
        import jwt

        keys: dict[str | None, Any] = {}
        for data in read_key_set(body):
            # A type that PyJWT does not know, or malformed values, for which it raises anything.
            with contextlib.suppress(Exception):
                key = jwt.PyJWK(data)
                if key.key_type != "oct":
                    keys[key.key_id] = key if data.get("alg") is not None else key.key
        return keys

    async def decode(
        self, token: str, key: Any, algorithms: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Verify a token, and return its claims.

        :param token: the token.
        :param key: the key.
        :param algorithms: the accepted algorithms.
        :param options: further arguments of ``jwt.decode``.
        :raises jwt.PyJWTError: when any check fails.
        """
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=list(algorithms), **options)
        except TypeError as error:
            raise jwt.InvalidKeyError("The algorithm of the token needs another key.") from error
        return claims
