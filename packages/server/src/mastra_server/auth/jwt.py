"""Authenticate callers with a signed token (JWT)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mastra_core import Secret
from mastra_core.arguments.argument_types import check_types, refuse_text
from mastra_core.arguments.number_checks import check_seconds
from mastra_core.errors import ConfigError
from mastra_server.auth.jwks import KeyNotFound, KeySet
from mastra_server.auth.token_signatures import LibrarySignatures, Signatures

__all__ = ("Jwt",)

_SHARED = ("HS256", "HS384", "HS512")
_PUBLIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")


class Jwt:
    """Accept callers with a valid token; the claims of the token describe the user.

    Pass exactly one of ``secret``, ``public_key`` and ``jwks_url``, to verify the signatures of
    tokens. A token without ``exp`` is rejected.

    :param secret: the secret that the issuer signs tokens with, for HS256 or for ``algorithms``.
    :param public_key: the public key of the issuer in PEM (RS256, ES256 and similar).
    :param jwks_url: the address where the issuer publishes its keys; fetched when needed.
    :param audience: the audience a token must have, or a list of which it must have one; ``None``
        accepts any.
    :param issuer: the issuer a token must have, or a list of issuers; ``None`` accepts any.
    :param algorithms: the accepted algorithms, all of which must fit the kind of key.
    :param leeway: the clock difference to tolerate, in seconds.
    :param resource_claim: the claim with the id of the only resource whose memory the user may
        access; empty for no restriction.
    :raises ConfigError: when PyJWT is not installed, when not exactly one kind of key is passed, or
        when another parameter cannot be used.
    """

    def __init__(
        self,
        *,
        secret: Secret | str | None = None,
        public_key: str | None = None,
        jwks_url: str | None = None,
        audience: str | Sequence[str] | None,
        issuer: str | Sequence[str] | None = None,
        algorithms: Sequence[str] | None = None,
        leeway: float = 0,
        resource_claim: str = "sub",
    ) -> None:
        refuse_text(algorithms, "algorithms", "Jwt")
        # PyJWT would report a wrong type as the fault of each token.
        check_types(locals(), Jwt.__init__.__annotations__)
        check_seconds(f"leeway={leeway!r}", leeway, allows_zero=True)
        self._signatures = _create_signatures()
        if sum(each is not None for each in (secret, public_key, jwks_url)) != 1:
            raise ConfigError(
                "Jwt needs exactly one key, but got none or several.",
                "Pass one of secret, public_key and jwks_url.",
            )
        self._secret = secret if isinstance(secret, Secret | None) else Secret(secret)
        self._public_key = public_key
        self._keys = None if jwks_url is None else KeySet(_check_url(jwks_url), self._signatures)
        self._algorithms = _check_algorithms(algorithms, _SHARED if secret is not None else _PUBLIC)
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._claim = resource_claim

    async def authenticate(self, token: str, _: Any) -> dict[str, Any] | None:
        """Return the claims of ``token``.

        :param token: the token of the caller.
        :param _: the connection, which is not used.
        :returns: the claims, ``None`` if any check fails.
        :raises KeysUnavailable: when the issuer's keys cannot be fetched.
        """
        import jwt

        checks = {
            "audience": self._audience,
            "issuer": self._issuer,
            "leeway": self._leeway,
            "options": {"require": ["exp"], "verify_aud": self._audience is not None},
        }
        try:
            key = await self._get_key(token)
            claims = await self._signatures.decode(token, key, self._algorithms, checks)
        except (jwt.PyJWTError, KeyNotFound):
            return None
        # A token without the claim would give access to the memory of all resources.
        return claims if not self._claim or claims.get(self._claim) else None

    def resource(self, user: Mapping[str, Any]) -> str:
        """Return the only resource that ``user`` may access; empty without a restriction.

        :param user: the claims of the user.
        """
        return str(user.get(self._claim, "")) if self._claim else ""

    async def _get_key(self, token: str) -> Any:
        if self._keys is not None:
            return await self._keys.find_key(token)
        return self._public_key if self._secret is None else self._secret.reveal()


def _check_url(url: str) -> str:
    """Return the URL of a JWKS; reject a URL that cannot be requested."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_valid = is_valid and "@" not in parts.netloc
    except ValueError:  # an invalid port or IPv6 address
        is_valid = False
    if not is_valid:  # the error omits the address, which may contain a password
        raise ConfigError(
            "jwks_url is not a valid address.",
            "Pass jwks_url as 'https://HOST/PATH', without a user.",
        )
    return url


def _check_algorithms(names: Sequence[str] | None, choices: Sequence[str]) -> list[str]:
    for name in names or ():
        if name not in choices:
            raise ConfigError(
                f"The algorithm {name!r} cannot be used with this kind of key.",
                f"Use one or more of {', '.join(choices)}.",
            )
    return list(names or (choices if choices is _PUBLIC else ["HS256"]))


def _create_signatures() -> Signatures:
    """Return the object that verifies signatures on this platform.

    There is no build of cryptography for Cloudflare Workers, so WebCrypto is chosen there.

    :raises ConfigError: when a package that verifies signatures is not installed.
    """
    from importlib.util import find_spec

    in_pyodide = sys.platform == "emscripten"
    if find_spec("jwt") is None or (find_spec("cryptography") is None and not in_pyodide):
        raise ConfigError(
            "Jwt needs PyJWT, which is not installed.",
            'Install it: pip install "mastra-server[auth]".',
        )
    if not in_pyodide:
        return LibrarySignatures()
    from mastra_server.auth.web_crypto import create_web_crypto

    return create_web_crypto()
