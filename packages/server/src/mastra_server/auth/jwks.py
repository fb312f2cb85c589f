"""Fetch an issuer's public keys when they are needed, and cache them."""

from __future__ import annotations

import time
from typing import Any

from mastra_core.errors import RequestError
from mastra_core.logger import get_logger

__all__ = ("KeyNotFound", "KeySet", "KeysUnavailable")

_MAX_AGE = 300.0  # seconds until the keys are fetched again
_MIN_INTERVAL = (
    10.0  # seconds between requests: tokens with invented key ids must not cause a flood
)
_TIMEOUT = 5.0  # seconds


class KeysUnavailable(RequestError):
    """The issuer's keys cannot be fetched, so no token can be checked."""

    status = 503


class KeyNotFound(Exception):
    """The issuer has no key with the token's key id."""


class KeySet:
    """The keys at ``url``, by key id.

    An unknown key id triggers a new request, so a rotated key is found at once. Cached keys stay
    valid while the issuer cannot be reached.

    :param url: the address of the issuer's key set.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, Any] = {}
        self._fetched_at = self._requested_at = float("-inf")
        self._lock: Any = None

    async def find_key(self, token: str) -> Any:
        """Return the key that ``token`` is signed with, according to its header.

        :param token: the token.
        :raises NoKey: when the issuer has no key with this id.
        :raises KeysUnavailable: when the keys could never be fetched.
        :raises jwt.PyJWTError: for an invalid token.
        """
        import jwt

        key_id = jwt.get_unverified_header(token).get("kid")
        if self._get_key(key_id) is None or time.monotonic() - self._fetched_at > _MAX_AGE:
            await self._refresh(key_id)
        key = self._get_key(key_id)
        if key is None:
            raise KeyNotFound
        return key

    def _get_key(self, key_id: str | None) -> Any:
        """Return a key by its id; a token without an id is signed by the only key."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _refresh(self, key_id: str | None) -> None:
        import asyncio

        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            now = time.monotonic()
            is_fresh = self._get_key(key_id) is not None and now - self._fetched_at <= _MAX_AGE
            if is_fresh or (self._keys and now - self._requested_at < _MIN_INTERVAL):
                return  # another task fetched the keys meanwhile
            self._requested_at = now
            try:
                self._keys = await asyncio.to_thread(self._fetch)
                self._fetched_at = now
            except Exception as error:  # noqa: BLE001  # an unreachable or a broken issuer
                message = "cannot fetch keys from %s"
                get_logger("mastra.server").warning(message, self._url, exc_info=error)
                if not self._keys:
                    raise KeysUnavailable("Authentication is not available") from None

    def _fetch(self) -> dict[str | None, Any]:
        from jwt import PyJWKClient

        key_set = PyJWKClient(self._url, cache_jwk_set=False, timeout=_TIMEOUT).get_jwk_set()
        return {key.key_id: key for key in key_set.keys if key.key_type != "oct"}
