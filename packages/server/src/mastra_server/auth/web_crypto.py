"""Verify the signatures of tokens with the WebCrypto API of a JavaScript platform."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mastra_server.auth.token_signatures import read_key_set

__all__ = ("WebCryptoSignatures", "create_web_crypto")

_HASH_SIZES = {"SHA-256": 32, "SHA-384": 48, "SHA-512": 64}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PUBLIC_FIELDS = ("kty", "n", "e", "crv", "x", "y")  # of a JSON Web Key
_CLAIMS = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")  # those that PyJWT checks by default


class WebCryptoSignatures:
    """Verifies signatures with the WebCrypto API, and claims with PyJWT.

    :param subtle: WebCrypto's ``SubtleCrypto``.
    :param to_js: a function that converts mappings, lists and bytes to JavaScript objects.
    """

    def __init__(self, subtle: Any, to_js: Callable[[Any], Any]) -> None:
        self._subtle = subtle
        self._to_js = to_js

    def parse_keys(self, body: bytes) -> dict[str | None, Any]:
        """Return the public keys of a key set, by key id.

        :param body: the key set as JSON.
        :raises ValueError: if ``body`` is not a key set.
        """
        keys = read_key_set(body)
        return {key.get("kid"): key for key in keys if key.get("kty") in ("RSA", "EC", "OKP")}

    async def decode(
        self, token: str, key: Any, algorithms: Sequence[str], options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Verify a token, and return its claims.

        :param token: the token.
        :param key: a key that ``parse_keys`` returned, a shared secret, or a public key in PEM.
        :param algorithms: the accepted algorithms.
        :param options: further arguments of ``jwt.decode``.
        :raises jwt.PyJWTError: when any check fails.
        """
        import jwt

        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        own_algorithm = key.get("alg") if isinstance(key, Mapping) else None
        is_accepted = algorithm in algorithms and own_algorithm in (None, algorithm)
        if not is_accepted or "crit" in header:
            raise jwt.InvalidAlgorithmError("The algorithm is not accepted.")
        content, _, signature = token.rpartition(".")
        if not await self._verify(algorithm, key, content.encode(), _decode_part(signature)):
            raise jwt.InvalidSignatureError("The signature is wrong.")
        checks = {f"verify_{name}": True for name in _CLAIMS}
        checks |= {"verify_signature": False, **options.get("options", {})}
        claims: dict[str, Any] = jwt.decode(token, **{**options, "options": checks})
        return claims

    async def _verify(self, algorithm: str, key: Any, content: bytes, signature: bytes) -> bool:
        """Return whether a signature is valid; ``False`` if the key has another algorithm."""
        method = _build_method(algorithm)
        try:
            imported = await self._import_key(key, method)
            return bool(
                await self._subtle.verify(
                    self._to_js(method), imported, self._to_js(signature), self._to_js(content)
                )
            )
        except Exception:  # noqa: BLE001  # the platform's errors have no common type in Python
            return False

    async def _import_key(self, key: Any, method: Mapping[str, Any]) -> Any:
        data: Any
        if method["name"] == "HMAC":
            kind, data = "raw", key.encode()
        elif isinstance(key, str):
            kind, data = "spki", _decode_pem(key)
        else:
            kind, data = "jwk", {name: key[name] for name in _PUBLIC_FIELDS if name in key}
        return await self._subtle.importKey(
            kind, self._to_js(data), self._to_js(method), False, self._to_js(["verify"])
        )


def create_web_crypto() -> WebCryptoSignatures:
    """Return an object that verifies signatures with the WebCrypto API of the Pyodide host."""
    from importlib import import_module

    js, ffi = import_module("js"), import_module("pyodide.ffi")

    def to_js(value: Any) -> Any:
        return ffi.to_js(value, dict_converter=js.Object.fromEntries)

    return WebCryptoSignatures(js.crypto.subtle, to_js)


def _build_method(algorithm: str) -> dict[str, Any]:
    """Return WebCrypto's parameters for an algorithm of JSON Web Tokens."""
    if algorithm == "EdDSA":
        return {"name": "Ed25519"}
    family, hash_name = algorithm[:2], f"SHA-{algorithm[2:]}"
    match family:
        case "HS":
            return {"name": "HMAC", "hash": hash_name}
        case "ES":
            return {"name": "ECDSA", "hash": hash_name, "namedCurve": _CURVES[algorithm]}
        case "PS":
            return {"name": "RSA-PSS", "hash": hash_name, "saltLength": _HASH_SIZES[hash_name]}
        case _:
            return {"name": "RSASSA-PKCS1-v1_5", "hash": hash_name}


def _decode_part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _decode_pem(text: str) -> bytes:
    lines = [line for line in text.splitlines() if line and not line.startswith("-----")]
    return base64.b64decode("".join(lines))
