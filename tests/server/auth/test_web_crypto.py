"""Test tokens that WebCrypto verifies, with the WebCrypto of Node."""

import asyncio
import base64
import json
import subprocess
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from mastra_server.auth import jwt as jwt_module
from mastra_server.auth.jwt import Jwt
from mastra_server.auth.web_crypto import WebCryptoSignatures
from tests.node import find_node

SECRET = "a shared secret of more than 64 bytes, because HS512 wants that many of them"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


class NodeCrypto:
    """``SubtleCrypto`` of a Node process."""

    def __init__(self):
        script = Path(__file__).with_suffix("").with_name("web_crypto.mjs")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([find_node(), str(script)], **pipes)

    def call(self, *request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    async def importKey(self, *values):  # noqa: N802  # the name in WebCrypto
        return self.call("importKey", *values)

    async def verify(self, *values):
        return self.call("verify", *values)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def to_js(value):
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


@pytest.fixture(scope="module")
def signatures():
    crypto = NodeCrypto()
    yield WebCryptoSignatures(crypto, to_js)
    crypto.close()


@pytest.fixture
def authenticate(signatures, monkeypatch):
    monkeypatch.setattr(jwt_module, "_create_signatures", lambda: signatures)

    def call(token, **settings):
        auth = Jwt(**{"audience": "shop", "issuer": "https://id.example", **settings})
        return asyncio.run(auth.authenticate(token, None))

    return call


def sign(algorithm, key=None, headers=None, **claims):
    body = {"sub": "ada", "aud": "shop", "iss": "https://id.example"}
    body = {**body, "exp": int(time.time()) + 60, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key or PRIVATE.get(algorithm, SECRET), algorithm, headers)


def encode_pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_public_keys(authenticate, algorithm):
    pem = encode_pem(PRIVATE[algorithm])
    token = sign(algorithm)
    assert authenticate(token, public_key=pem)["sub"] == "ada"
    head, body, signature = token.split(".")
    changed = f"{head}.{body}.{'A' * len(signature)}"
    assert authenticate(changed, public_key=pem) is None
    others = [name for name in PRIVATE if name != algorithm]
    assert authenticate(token, public_key=pem, algorithms=others) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_shared_secrets(authenticate, algorithm):
    token = sign(algorithm)
    assert authenticate(token, secret=SECRET, algorithms=[algorithm])["sub"] == "ada"
    assert authenticate(token, secret=SECRET[::-1], algorithms=[algorithm]) is None


def test_key_sets(signatures):
    published = [
        {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "alg": "RS256"},
        {**ECAlgorithm.to_jwk(PRIVATE["ES256"].public_key(), as_dict=True), "kid": "curve"},
        {**OKPAlgorithm.to_jwk(PRIVATE["EdDSA"].public_key(), as_dict=True), "kid": "edwards"},
        {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "null", "alg": None},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {**ECAlgorithm.to_jwk(PRIVATE["ES256"], as_dict=True), "kid": "leaked"},
        {"kty": "RSA", "kid": ["list"]},
        {"kty": []},
        1,
    ]
    keys = signatures.parse_keys(json.dumps({"keys": published}).encode())
    assert keys.keys() == {"rsa", "curve", "edwards", "null"}
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    checks = {"audience": "shop", "issuer": None, "leeway": 0, "options": {"require": ["exp"]}}

    async def decode(token, kid, algorithm):
        return await signatures.decode(token, keys[kid], [algorithm], checks)

    assert asyncio.run(decode(sign("PS512"), "null", "PS512"))["sub"] == "ada"
    for kid, algorithm in (("rsa", "RS256"), ("curve", "ES256"), ("edwards", "EdDSA")):
        assert asyncio.run(decode(sign(algorithm), kid, algorithm))["sub"] == "ada"
        refusal = jwt.InvalidAlgorithmError if kid == "rsa" else jwt.InvalidSignatureError
        with pytest.raises(refusal):
            asyncio.run(decode(sign("RS512", stranger), kid, "RS512"))
    for wrong in (b"[]", b"{}", b'{"keys": 1}', b"no json"):
        with pytest.raises(ValueError, match=r"Key Set|Expecting value"):
            signatures.parse_keys(wrong)


def test_refused_claims(authenticate):
    pem = encode_pem(RSA)
    now = int(time.time())
    refused = {
        "expired": sign("RS256", exp=now - 1),
        "never expires": sign("RS256", exp=None),
        "not yet": sign("RS256", nbf=now + 60),
        "for another": sign("RS256", aud="bank"),
        "subject that is no text": sign("RS256", sub=7),
        "for nobody": sign("RS256", aud=None),
        "of another": sign("RS256", iss="https://evil.example"),
        "no owner": sign("RS256", sub=None),
        "critical header": sign("RS256", headers={"crit": ["x"], "x": 1}),
        "public key as secret": sign("HS256", key="x" * 64),
        "algorithm none": jwt.encode({"sub": "ada", "exp": 1 << 40}, "", "none"),
        "no token": "abc",
        "two dots": "..",
    }
    assert authenticate(sign("RS256"), public_key=pem)["sub"] == "ada"
    assert authenticate(sign("RS256", exp=now - 1), public_key=pem, leeway=60)["sub"] == "ada"
    for what, token in refused.items():
        assert authenticate(token, public_key=pem) is None, what
