"""Fetch and cache the public keys of an issuer."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from mastra_core.errors import RequestError
from mastra_core.fetch import fetch
from mastra_core.logger import get_logger
from mastra_core.request_scope import is_request_scoped, keep_alive
from mastra_core.telemetry.client_span import record_status, start_client_span
from mastra_server.auth.token_signatures import LibrarySignatures, Signatures

__all__ = ("KeyNotFound", "KeySet", "KeysUnavailable")

_MAX_AGE = 300.0  # seconds until the keys are fetched again
_MIN_INTERVAL = 10.0  # seconds between requests: invented key ids must not cause a flood
_RETRY_INTERVAL = 1.0  # seconds between requests while there are no keys at all
_UNKNOWN_AGE = 60.0  # seconds in which a key id that the issuer does not have causes no request
_TIMEOUT = 5.0  # seconds for a whole response
_POLL_INTERVAL = 0.05  # seconds between two checks for the end of another caller's request
_MAX_ID_LENGTH = 256  # characters of a key id
_MAX_UNKNOWN = 1000
_OK = 200


class KeysUnavailable(RequestError):
    """The issuer's keys cannot be fetched, so tokens cannot be checked."""

    status = 503


class KeyNotFound(Exception):
    """The issuer has no key with the key id of the token."""


class KeySet:
    """The public keys that an issuer publishes at ``url``, by key id.

    There is at most one request to the issuer at a time. A caller whose key is cached never waits.
    Keys that are old are fetched again in the background, and stay valid while the issuer is
    unreachable. An unknown key id causes a request to the issuer, so a rotated key is found at
    once.

    :param url: the address of the issuer's key set.
    :param signatures: the object that parses the keys; by default it uses PyJWT.
    """

    def __init__(self, url: str, signatures: Signatures | None = None) -> None:
        self._url = url
        self._signatures = signatures or LibrarySignatures()
        self._request_ends = float("-inf")  # the time limit of a request of another caller
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
                self._refresh_in_background()
            return key
        return await self._find_new_key(key_id)

    async def _find_new_key(self, key_id: str | None) -> Any:
        """Load the key set again, unless it was loaded a moment ago, and return one of its keys."""
        if self._is_known_as_missing(key_id):
            raise KeyNotFound
        if is_request_scoped():
            await self._refresh_in_request()
        elif task := self._begin_refresh():
            await asyncio.shield(task)  # others wait for it too
        if not self._keys:
            raise KeysUnavailable("Authentication is not available")
        key = self._get_key(key_id)
        if key is None:
            self._add_unknown(key_id)
            raise KeyNotFound
        return key

    def _get_key(self, key_id: str | None) -> Any:
        """Return a key by its id; for a token without a key id, return the only key."""
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
        """Return the task that requests the keys, or start one; ``None`` if it is too early."""
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is loop and not self._task.done():
            return self._task
        now = time.monotonic()
        if not self._may_request(now):
            return None
        self._requested_at = now
        self._task = loop.create_task(self._refresh(now))
        return self._task

    def _may_request(self, now: float) -> bool:
        """Return whether enough time has passed since the previous request."""
        return now - self._requested_at >= (_MIN_INTERVAL if self._keys else _RETRY_INTERVAL)

    def _refresh_in_background(self) -> None:
        if not is_request_scoped():
            self._begin_refresh()
            return
        now = time.monotonic()
        if now >= self._request_ends and self._may_request(now):  # no request waits for this task
            keep_alive(asyncio.ensure_future(self._refresh_in_request()))

    async def _refresh_in_request(self) -> None:
        """Request the keys, or wait for the request of another caller to end."""
        now = time.monotonic()
        if now < self._request_ends:
            while time.monotonic() < self._request_ends:  # noqa: ASYNC110  # an event belongs to one request
                await asyncio.sleep(_POLL_INTERVAL)
        elif self._may_request(now):
            self._requested_at, self._request_ends = now, now + _TIMEOUT
            try:
                await self._refresh(now)
            finally:
                self._request_ends = float("-inf")

    async def _refresh(self, now: float) -> None:
        try:
            self._keys = await self._fetch_keys()
            self._fetched_at = now
        except Exception as error:  # noqa: BLE001  # an unreachable or a broken issuer
            self._requested_at = time.monotonic()  # the interval begins after a timeout
            get_logger("mastra.server").warning(
                "cannot fetch keys from %s", self._url.partition("?")[0], exc_info=error
            )

    async def _fetch_keys(self) -> dict[str | None, Any]:
        keys = self._signatures.parse_keys(await _fetch_key_set(self._url))
        if not keys:
            raise ValueError("The key set contains no usable key.")
        return keys


async def _fetch_key_set(url: str) -> bytes:
    with start_client_span("GET", url) as span:
        response = await fetch(url, headers={"accept": "application/json"}, seconds=_TIMEOUT)
        record_status(span, response.status)
    if response.status != _OK:
        raise OSError(f"the issuer responded with status {response.status}")
    return response.body
