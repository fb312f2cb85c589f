"""Fetch and cache the public keys of an issuer."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from mastra_core.errors import RequestError
from mastra_core.logger import get_logger

__all__ = ("KeyNotFound", "KeySet", "KeysUnavailable")

_MAX_AGE = 300.0  # seconds until the keys are fetched again
_MIN_INTERVAL = 10.0  # seconds between requests: invented key ids must not cause a flood
_RETRY_INTERVAL = 1.0  # seconds between requests while there are no keys at all
_UNKNOWN_AGE = 60.0  # seconds in which a key id that the issuer does not have causes no request
_TIMEOUT = 5.0  # seconds for a whole response
_MAX_BYTES = 1024 * 1024  # of a response
_MAX_ID_LENGTH = 256  # characters of a key id
_MAX_UNKNOWN = 1000


class KeysUnavailable(RequestError):
    """The issuer's keys cannot be fetched, so tokens cannot be checked."""

    status = 503


class KeyNotFound(Exception):
    """The issuer has no key with the key id of the token."""


class KeySet:
    """The keys at ``url``, by key id.

    There is at most one request to the issuer at a time. A caller whose key is cached never waits.
    Old keys are fetched again in the background, and stay valid while the issuer is unreachable. An
    unknown key id causes a request, so a rotated key is found at once.

    :param url: the address of the issuer's key set.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, Any] = {}
        self._unknown: OrderedDict[str | None, float] = OrderedDict()
        self._fetched_at = self._requested_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def find_key(self, token: str) -> Any:
        """Return the key for the signature of ``token``, according to the token's header.

        :param token: the token.
        :raises KeyNotFound: when the issuer has no key with this id.
        :raises KeysUnavailable: when the keys could never be fetched.
        :raises jwt.PyJWTError: for an invalid token.
        """
        import jwt

        key_id = jwt.get_unverified_header(token).get("kid")
        key = self._get_key(key_id)
        if key is not None:
            if time.monotonic() - self._fetched_at > _MAX_AGE:
                self._begin_refresh()
            return key
        return await self._find_new_key(key_id)

    async def _find_new_key(self, key_id: str | None) -> Any:
        """Return a key that is not cached, after a request if a request is allowed now."""
        if self._is_known_as_missing(key_id):
            raise KeyNotFound
        task = self._begin_refresh()
        if task is not None:
            await asyncio.shield(task)  # others wait for it too
        if not self._keys:
            raise KeysUnavailable("Authentication is not available")
        key = self._get_key(key_id)
        if key is None:
            self._add_unknown(key_id)
            raise KeyNotFound
        return key

    def _get_key(self, key_id: str | None) -> Any:
        """Return a key by its id; for a token without an id, return the only key."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _is_known_as_missing(self, key_id: str | None) -> bool:
        if key_id is not None and len(key_id) > _MAX_ID_LENGTH:
            return True
        return time.monotonic() - self._unknown.get(key_id, float("-inf")) < _UNKNOWN_AGE

    def _add_unknown(self, key_id: str | None) -> None:
        """Remember a key id that is not among the latest keys."""
        if self._fetched_at < self._requested_at:
            return  # the latest request failed, so the issuer may have the key
        self._unknown[key_id] = self._fetched_at
        self._unknown.move_to_end(key_id)
        if len(self._unknown) > _MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    def _begin_refresh(self) -> asyncio.Task[None] | None:
        """Return the active request, or begin one; ``None`` soon after the previous request."""
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is loop and not self._task.done():
            return self._task
        now = time.monotonic()
        if now - self._requested_at < (_MIN_INTERVAL if self._keys else _RETRY_INTERVAL):
            return None
        self._requested_at = now
        self._task = loop.create_task(self._refresh(now))
        return self._task

    async def _refresh(self, now: float) -> None:
        try:
            self._keys = await asyncio.to_thread(_fetch_keys, self._url)
            self._fetched_at = now
        except Exception as error:  # noqa: BLE001  # an unreachable or a broken issuer
            self._requested_at = time.monotonic()  # the interval begins after a timeout
            get_logger("mastra.server").warning(
                "cannot fetch keys from %s", self._url, exc_info=error
            )


def _fetch_keys(url: str) -> dict[str | None, Any]:
    from jwt import PyJWKSet

    key_set = PyJWKSet.from_json(_read_response(url).decode())
    return {key.key_id: key for key in key_set.keys if key.key_type != "oct"}


def _read_response(url: str) -> bytes:
    """Read a response, with limits for its size and its total time."""
    from urllib.request import Request, urlopen

    end = time.monotonic() + _TIMEOUT
    request = Request(url, headers={"accept": "application/json"})  # noqa: S310  # the application's own setting
    body = b""
    with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310  # as above
        while piece := response.read1(65_536):
            body += piece
            if len(body) > _MAX_BYTES or time.monotonic() > end:
                raise OSError("the response is too large or too slow")
    return body
