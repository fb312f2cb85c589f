"""An issuer's public keys, fetched when needed and kept for a while."""

from __future__ import annotations

import time
from typing import Any

from mastra_core.errors import RequestError
from mastra_core.logger import logger_of

__all__ = ("KeySet", "KeysUnavailable", "NoKey")

_FRESH = 300.0  # seconds until the keys are asked for again
_PAUSE = 10.0  # between two questions: tokens with invented key ids must not become a flood
_PATIENCE = 5.0


class KeysUnavailable(RequestError):
    """The issuer's keys cannot be had, so nobody can be let in or turned away."""

    status = 503


class NoKey(Exception):
    """The issuer has no key of the token's key id."""


class KeySet:
    """The keys at ``url`` by their ids.

    A key id that is not known is looked for again, so a rotated key is found at once; keys that
    were fetched before stay good while the issuer cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, Any] = {}
        self._fetched = self._asked = float("-inf")
        self._lock: Any = None

    async def of(self, token: str) -> Any:
        """The key that ``token`` says it is signed with.

        :raises NoKey: when there is none of that id.
        :raises KeysUnavailable: when no keys could ever be fetched.
        :raises jwt.PyJWTError: for something that is no token.
        """
        import jwt

        name = jwt.get_unverified_header(token).get("kid")
        if self._key(name) is None or time.monotonic() - self._fetched > _FRESH:
            await self._refresh(name)
        key = self._key(name)
        if key is None:
            raise NoKey
        return key

    def _key(self, name: str | None) -> Any:
        """Tokens without an id are signed by the only key."""
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(name)

    async def _refresh(self, name: str | None) -> None:
        import asyncio

        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            now = time.monotonic()
            known = self._key(name) is not None and now - self._fetched <= _FRESH
            if known or (self._keys and now - self._asked < _PAUSE):
                return  # somebody else asked meanwhile
            self._asked = now
            try:
                self._keys = await asyncio.to_thread(self._fetch)
                self._fetched = now
            except Exception as error:  # noqa: BLE001  # an unreachable or a broken issuer
                logger_of("mastra.server").warning("no keys from %s", self._url, exc_info=error)
                if not self._keys:
                    raise KeysUnavailable("Authentication is not available") from None

    def _fetch(self) -> dict[str | None, Any]:
        from jwt import PyJWKClient

        found = PyJWKClient(self._url, cache_jwk_set=False, timeout=_PATIENCE).get_jwk_set()
        return {key.key_id: key for key in found.keys if key.key_type != "oct"}
