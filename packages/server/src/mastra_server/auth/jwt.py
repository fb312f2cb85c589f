"""Callers known by a signed token (JWT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mastra_core import Secret
from mastra_core.errors import ConfigError
from mastra_server.auth.jwks import KeySet, NoKey

__all__ = ("Jwt",)

_SHARED = ("HS256", "HS384", "HS512")
_PUBLIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")


class Jwt:
    """Lets in whoever brings a valid token; the user is its claims.

    Exactly one of the first three parameters says what the signature is checked with. A token
    without ``exp`` is not accepted.

    :param secret: shared with whoever issues the tokens (HS256; others if they are named).
    :param public_key: of whoever issues them, in PEM (RS256, ES256 and their like).
    :param jwks_url: where the issuer publishes its keys; they are fetched when one is needed.
    :param audience: whom a token must be for; ``None`` accepts tokens for anybody.
    :param issuer: who must have issued it.
    :param algorithms: fewer than the key allows.
    :param leeway: seconds that clocks may differ.
    :param resource_claim: the claim that names the owner of the user's memory; empty for none.
    :raises ConfigError: without PyJWT, or when it is not one kind of key.
    """

    def __init__(
        self,
        *,
        secret: Secret | str | None = None,
        public_key: str | None = None,
        jwks_url: str | None = None,
        audience: str | Sequence[str] | None,
        issuer: str | None = None,
        algorithms: Sequence[str] | None = None,
        leeway: float = 0,
        resource_claim: str = "sub",
    ) -> None:
        _needs_library()
        if sum(each is not None for each in (secret, public_key, jwks_url)) != 1:
            raise ConfigError(
                "Jwt is given no key, or more than one.", "Pass secret, public_key or jwks_url."
            )
        self._secret = Secret(secret) if isinstance(secret, str) else secret
        self._public_key = public_key
        self._keys = KeySet(jwks_url) if jwks_url else None
        self._algorithms = _allowed(algorithms, _SHARED if secret is not None else _PUBLIC)
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._claim = resource_claim

    async def authenticate(self, token: str, _: Any) -> dict[str, Any] | None:
        """The claims of ``token``, or ``None`` where any check fails.

        :raises KeysUnavailable: when the issuer's keys cannot be had.
        """
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                await self._key(token),
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp"], "verify_aud": self._audience is not None},
            )
        except (jwt.PyJWTError, NoKey):
            return None
        # A token that names no owner would reach everybody's memory.
        return claims if not self._claim or claims.get(self._claim) else None

    def resource(self, user: Mapping[str, Any]) -> str:
        """The owner of the memory that ``user`` is confined to."""
        return str(user.get(self._claim, "")) if self._claim else ""

    async def _key(self, token: str) -> Any:
        if self._keys is not None:
            return await self._keys.of(token)
        return self._public_key if self._secret is None else self._secret.reveal()


def _needs_library() -> None:
    from importlib.util import find_spec

    if find_spec("jwt") is None or find_spec("cryptography") is None:
        raise ConfigError(
            "Jwt needs PyJWT, which is not installed.",
            'Install it: pip install "mastra-server[auth]".',
        )


def _allowed(asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    for name in asked or ():
        if name not in known:
            raise ConfigError(
                f"The algorithm {name!r} does not go with this kind of key.",
                f"Use some of {', '.join(known)}.",
            )
    return list(asked or (known if known is _PUBLIC else ["HS256"]))
