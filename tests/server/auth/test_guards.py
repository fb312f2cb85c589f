"""Test authentication by keys, tokens and custom objects, and that no path bypasses it."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from litestar import get

from mastra_core import ApiRoute, Secret
from mastra_core.errors import ConfigError
from mastra_core.logger import get_logger
from mastra_server import ApiKeys, Jwt, create_app
from mastra_server.auth import jwks
from mastra_server.auth.token_signatures import LibrarySignatures
from mastra_server.auth.web_crypto import WebCryptoSignatures
from tests import scripted_server
from tests.server.guarded_server import serve_guarded
from tests.server.sample_app import create_sample

REFUSED = (401, {"error": "Invalid or expired token"})
WHO = "/api/tools/whoami/execute"


def read_error(answer):
    return answer.status_code, answer.json()


def build_headers(token):
    return {"authorization": f"Bearer {token}"}


def call_whoami(server, token, **more):
    """Return the request context that a tool receives."""
    body = {"data": {}, **more}
    return read_error(
        server.http.post(WHO, json=body, headers=build_headers(token) if token else {})
    )


class Tokens:
    """An object of a user's own."""

    async def authenticate(self, token, request):
        if token == "explode":
            raise RuntimeError("secret internals")
        return {"id": token} if token in ("ada", "bob", "") else None

    def authorize(self, user, request):
        return user["id"] != "bob" or request.method == "GET"

    def resource(self, user):
        return f"res-{user['id']}"


def hello(request):
    return {"hello": request.scope.get("user", "nobody")}


@get("/litestar")
async def get_private() -> dict[str, int]:
    return {}


@get("/litestar/open", requires_auth=False)
async def get_public() -> dict[str, int]:
    return {}


ROUTES = [
    ApiRoute(path="/mine", handler=hello),
    ApiRoute(path="/free", handler=hello, requires_auth=False),
    get_private,
    get_public,
]


@pytest.fixture(scope="module")
def guarded_server(serve):
    settings = {"auth": Tokens(), "api_routes": ROUTES, "public": ["/api/tools"]}
    with serve(server=settings) as server:
        yield server


def test_the_user_reaches_the_application(guarded_server):
    context = {"user": {"id": "ada"}, "mastra__resourceId": "res-ada"}
    forged = {"user": "root", "mastra__resourceId": "res-bob", "a": 1}
    assert call_whoami(guarded_server, "ada", requestContext=forged) == (200, {**context, "a": 1})
    query = guarded_server.http.post(f"{WHO}?apiKey=ada", json={"data": {}})
    assert query.json() == context


def test_invalid_credentials(guarded_server):
    for token in ("", "nope"):
        assert call_whoami(guarded_server, token) == REFUSED
    answer = guarded_server.http.get("/api/agents", headers={"authorization": "Basic ada"})
    assert read_error(answer) == REFUSED
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert call_whoami(guarded_server, "bob") == (403, {"error": "Access denied"})
    assert guarded_server.http.get("/api/agents", headers=build_headers("bob")).status_code == 200
    assert call_whoami(guarded_server, "explode") == (500, {"error": "Internal Server Error"})


def test_public_paths(guarded_server):
    for path in ("/health", "/ready", "/free", "/litestar/open", "/api/tools"):
        assert guarded_server.http.get(path).status_code == 200, path
    for path in ("/mine", "/litestar", "/api/tools/addTool"):
        assert read_error(guarded_server.http.get(path)) == REFUSED, path
    assert guarded_server.http.get("/mine", headers=build_headers("ada")).json() == {
        "hello": {"id": "ada"}
    }
    preflight = {"origin": "https://a.example", "access-control-request-method": "POST"}
    assert guarded_server.http.options("/api/agents", headers=preflight).status_code == 204


def test_resource_of_another_user(guarded_server):
    def generate(resource):
        body = {"messages": "x", "memory": {"thread": "t", "resource": resource}}
        path = "/api/agents/contextAgent/generate"
        return read_error(guarded_server.http.post(path, json=body, headers=build_headers("ada")))

    assert generate("res-bob") == (403, {"error": "Access denied"})
    assert generate("res-ada")[0] == 200
    run = "/api/workflows/pureWorkflow/create-run"
    other = guarded_server.http.post(
        run, json={"resourceId": "res-bob"}, headers=build_headers("ada")
    )
    assert other.status_code == 403


def request_raw_path(server, path):
    """Send a path exactly as written, which HTTP clients would normalize."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.parametrize("prefix", ["/api", "/v1/deep", "/"])
def test_no_spelling_bypasses_auth(serve, prefix):
    at = prefix.rstrip("/")
    spellings = [
        *(f"{at}/agents", f"/{at}/agents", f"{at}//agents", f"{at}/agents/", f"{at}/./agents"),
        *(f"{at}/x/../agents", f"{at}/%61gents", f"{at}%2fagents", f"{at}/agents%2f"),
        *(f"{at}/agents?x=/health", f"/health/..{at}/agents", f"/health{at}/agents"),
        *(f"{at}/agents;/health", f"{at}/agents%00", f"{at.upper()}/AGENTS", f"{at}/agents%20"),
        *(f"/public/..{at}/agents", f"/public/%2e%2e{at}/agents", "/api/agents", "//agents"),
        *(f"{at}/agents/echoAgent", f"/{at}\\agents", f"{at}/agents#/health"),
    ]
    settings = {"auth": Tokens(), "api_prefix": prefix, "public": ["/public/*", "/health"]}
    with serve(server=settings) as server:
        for path in spellings:
            assert request_raw_path(server, path) in (400, 401, 404), path
        assert request_raw_path(server, f"{at}/%61gents") == 401
        assert server.http.get(f"{at}/agents", headers=build_headers("ada")).status_code == 200


# Routes that a client needs before it has a token, and routes that need none.
OPEN = ("/health", "/ready", "/free", "/litestar/open", "/api/auth/capabilities")


def test_every_route_requires_auth(serve):
    """A new route must require authentication without further code."""
    with serve(server={"auth": Tokens(), "api_routes": ROUTES}) as server:
        for route in server.app.routes:
            path = "/".join("x" if "{" in part else part for part in route.path.split("/"))
            for method in set(route.methods) - {"OPTIONS"}:
                answer = server.http.request(method, path)
                get_public = path in OPEN
                assert answer.status_code == (200 if get_public else 401), (method, path)


def test_invalid_settings():
    with pytest.raises(ConfigError, match="no method authenticate"):
        create_sample(server={"auth": object()})
    with pytest.raises(ConfigError, match="public path"):
        create_app(create_sample(server={"auth": Tokens(), "public": ["/a/*/b"]}))


def test_warning_without_resource(monkeypatch):
    warned = []
    monkeypatch.setattr(get_logger("mastra.server"), "warning", warned.append)
    create_app(create_sample(server={"auth": ApiKeys({"a": "k"})}))
    assert not warned

    class Bare:
        def authenticate(self, token, request):
            return token

    create_app(create_sample(server={"auth": Bare()}))
    assert "all threads" in warned[0]


def test_api_keys(serve, monkeypatch):
    digest = hashlib.sha256(b"third").hexdigest()
    keys = {"ada": "first", "bob": Secret.env("BOB_KEY"), "eve": f"sha256:{digest}"}
    monkeypatch.setenv("BOB_KEY", "second")
    with serve(server={"auth": ApiKeys(keys)}) as server:
        for token, name in (("first", "ada"), ("second", "bob"), ("third", "eve")):
            assert call_whoami(server, token) == (200, {"user": {"id": name}})
        for token in ("firs", "first1", digest, f"sha256:{digest}", "\u00e9".encode()):
            headers = {"authorization": token if isinstance(token, bytes) else f"Bearer {token}"}
            assert read_error(server.http.get("/api/agents", headers=headers)) == REFUSED
    with serve(server={"auth": ApiKeys({"ada": "first"}, restrict_memory=True)}) as server:
        assert call_whoami(server, "first")[1]["mastra__resourceId"] == "ada"
    for wrong in ({}, {"a": "sha256:12"}, {"a": "sha256:xyz"}, {"a": " "}):
        with pytest.raises(ConfigError):
            ApiKeys(wrong)


class Issuer:
    """Somebody who issues tokens, and publishes keys over HTTP."""

    def __init__(self):
        self.keys, self.asked, self.broken, self.algorithm = {}, 0, False, None
        self.other_keys = []
        self.url = ""

    def answer(self, _request):
        self.asked += 1
        return 500 if self.broken else 200, {}, {"keys": self.published()}

    def published(self):
        made = []
        for name, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            made.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name})
            made[-1] |= {"alg": self.algorithm} if self.algorithm else {}
        return [*self.other_keys, *made, *self.other_keys]

    def token(self, kid, algorithm="RS256", key=None, **claims):
        now = int(time.time())
        body = {"sub": "ada", "aud": "shop", "iss": "https://id.example", "exp": now + 60, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, key or self.keys[kid], algorithm, headers={"kid": kid})


@pytest.fixture
def issuer():
    made = Issuer()
    made.keys["one"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with scripted_server.serve(made.answer) as server:
        made.url = f"{server.url}/jwks.json"
        yield made


@pytest.fixture
def jwks_server(serve, issuer):
    auth = Jwt(jwks_url=issuer.url, audience="shop", issuer="https://id.example")
    with serve(server={"auth": auth}) as server:
        yield server


def test_valid_tokens(jwks_server, issuer):
    issuer.keys["curve"] = ec.generate_private_key(ec.SECP256R1())
    for token in (issuer.token("one"), issuer.token("curve", "ES256"), issuer.token("one")):
        status, context = call_whoami(jwks_server, token)
        assert (status, context["mastra__resourceId"]) == (200, "ada")
        assert context["user"]["iss"] == "https://id.example"
    assert issuer.asked == 1


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
def test_a_key_without_an_algorithm_fits_all_of_its_type(jwks_server, issuer, algorithm):
    issuer.keys["curve"] = ec.generate_private_key(ec.SECP384R1())
    assert call_whoami(jwks_server, issuer.token("one", algorithm))[0] == 200
    assert call_whoami(jwks_server, issuer.token("curve", "ES384"))[0] == 200
    stranger = ec.generate_private_key(ec.SECP256R1())
    other_type = {
        "curve of an RSA key": issuer.token("one", "ES256", stranger),
        "RSA of a curve": issuer.token("curve", algorithm, issuer.keys["one"]),
        "other curve": issuer.token("curve", "ES256", stranger),
    }
    for what, token in other_type.items():
        assert call_whoami(jwks_server, token) == REFUSED, what


BAD_KEYS = {
    "a list as key id": {"kty": "RSA", "kid": ["one"], "n": "AQAB", "e": "AQAB"},
    "a number as key id": {"kty": "RSA", "kid": 1, "n": "AQAB", "e": "AQAB"},
    "no modulus": {"kty": "RSA", "kid": "bad", "e": "AQAB"},
    "a modulus that is no text": {"kty": "RSA", "kid": "bad", "n": 5, "e": None},
    "a modulus that is not base64": {"kty": "RSA", "kid": "bad", "n": "!", "e": "?"},
    "an even modulus": {"kty": "RSA", "kid": "bad", "n": "AA", "e": "AA"},
    "no point of the curve": {"kty": "EC", "kid": "bad", "crv": "P-256", "x": "AQ", "y": "AQ"},
    "a curve that is no text": {"kty": "EC", "kid": "bad", "crv": {}, "x": "AQ", "y": "AQ"},
    "an algorithm that is no text": {"kty": "RSA", "kid": "bad", "alg": [], "n": "AQ", "e": "AQ"},
    "another algorithm than the type": {"kty": "EC", "kid": "bad", "alg": "RS256", "crv": "P-256"},
    "a type that is no text": {"kty": [], "kid": "bad"},
    "a shared secret": {"kty": "oct", "kid": "bad", "k": "AQ"},
    "a text": "key",
    "null": None,
}


@pytest.mark.parametrize("what", BAD_KEYS)
def test_a_bad_key_does_not_stop_the_others(jwks_server, issuer, what):
    issuer.other_keys = [BAD_KEYS[what]]
    assert call_whoami(jwks_server, issuer.token("one"))[0] == 200
    token = issuer.token("bad", key=issuer.keys["one"])
    assert call_whoami(jwks_server, token) == REFUSED


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_private_key_is_ignored(jwks_server, issuer, algorithm):
    """Everybody could sign tokens with it."""
    kind = RSAAlgorithm if algorithm == "RS256" else ECAlgorithm
    key = issuer.keys["one"] if kind is RSAAlgorithm else ec.generate_private_key(ec.SECP256R1())
    issuer.other_keys = [{**kind.to_jwk(key, as_dict=True), "kid": "leaked"}]
    assert call_whoami(jwks_server, issuer.token("one"))[0] == 200
    assert call_whoami(jwks_server, issuer.token("leaked", algorithm, key)) == REFUSED


def test_a_key_with_an_algorithm_fits_only_this_one(jwks_server, issuer):
    issuer.algorithm = "RS512"
    assert call_whoami(jwks_server, issuer.token("one", "RS512"))[0] == 200
    assert call_whoami(jwks_server, issuer.token("one", "RS256")) == REFUSED


def encode_part(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode_header(algorithm):
    return encode_part(json.dumps({"alg": algorithm, "kid": "one", "typ": "JWT"}).encode())


def sign_with_public_key(head, body, key):
    """A token signed with a public key as if it were a shared secret; libraries refuse to."""
    signed = f"{head}.{body}"
    return f"{signed}.{encode_part(hmac.digest(key, signed.encode(), 'sha256'))}"


def test_rejected_tokens(jwks_server, issuer):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = (
        issuer.keys["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    good = issuer.token("one")
    head, body, signature = good.split(".")
    refused = {
        "expired": issuer.token("one", exp=int(time.time()) - 1),
        "never expires": issuer.token("one", exp=None),
        "not yet": issuer.token("one", nbf=int(time.time()) + 60),
        "for another": issuer.token("one", aud="bank"),
        "for nobody": issuer.token("one", aud=None),
        "of another": issuer.token("one", iss="https://evil.example"),
        "of nobody": issuer.token("one", iss=None),
        "no owner": issuer.token("one", sub=None),
        "empty owner": issuer.token("one", sub=""),
        "another key": issuer.token("one", key=stranger),
        "public key as secret": sign_with_public_key(encode_header("HS256"), body, public),
        "algorithm none": f"{encode_header('none')}.{body}.",
        "no algorithm": jwt.encode({"sub": "ada", "exp": 1 << 40}, "", "none", {"kid": "one"}),
        "cut": f"{head}.{body}.",
        "changed": f"{head}.{body[:-2]}xx.{signature}",
        "no token": "abc",
        "two dots": "..",
    }
    assert call_whoami(jwks_server, good)[0] == 200
    for what, token in refused.items():
        assert call_whoami(jwks_server, token) == REFUSED, what


def test_rotated_and_invented_key_ids(jwks_server, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)
    assert call_whoami(jwks_server, issuer.token("one"))[0] == 200
    old = issuer.token("one")
    issuer.keys = {"two": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
    assert call_whoami(jwks_server, old)[0] == 200  # still fresh
    assert call_whoami(jwks_server, issuer.token("two"))[0] == 200
    assert call_whoami(jwks_server, old) == REFUSED
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 60)
    before = issuer.asked
    for index in range(20):
        assert (
            call_whoami(jwks_server, issuer.token(f"kid-{index}", key=issuer.keys["two"]))
            == REFUSED
        )
    assert issuer.asked == before


def test_unreachable_issuer(jwks_server, issuer, monkeypatch):
    issuer.broken = True
    status, body = call_whoami(jwks_server, issuer.token("one"))
    assert (status, body) == (503, {"error": "Authentication is not available"})
    issuer.broken = False
    time.sleep(jwks._RETRY_INTERVAL)
    assert call_whoami(jwks_server, issuer.token("one"))[0] == 200
    issuer.broken = True
    monkeypatch.setattr(jwks, "_MAX_AGE", 0)
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)
    assert call_whoami(jwks_server, issuer.token("one"))[0] == 200


@pytest.mark.parametrize(
    "signatures", [LibrarySignatures(), WebCryptoSignatures(None, None)], ids=["library", "web"]
)
def test_empty_key_set_keeps_the_cached_keys(issuer, monkeypatch, signatures):
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)
    key_set = jwks.KeySet(issuer.url, signatures)
    token, unknown = issuer.token("one"), issuer.token("two", key=issuer.keys["one"])

    async def find_keys():
        key = await key_set.find_key(token)
        issuer.keys = {}
        with pytest.raises(jwks.KeyNotFound):
            await key_set.find_key(unknown)
        return key, await key_set.find_key(token)

    before, after = asyncio.run(find_keys())
    assert issuer.asked == 2
    assert after is before


SECRET = "a shared secret of more than 32 bytes"


def sign_shared(key=SECRET, algorithm="HS256", **claims):
    return jwt.encode({"sub": "ada", "exp": int(time.time()) + 60, **claims}, key, algorithm)


@pytest.mark.parametrize("user", [None, False, "", 0, {}, []])
def test_empty_value_is_no_user(serve, user):
    class Directory:
        def authenticate(self, token, request):
            return user

    with serve(server={"auth": Directory()}) as server:
        assert call_whoami(server, "any") == REFUSED


def test_shared_secret(serve):
    with serve(server={"auth": Jwt(secret=SECRET, audience=None)}) as server:
        assert call_whoami(server, sign_shared())[0] == 200
        assert call_whoami(server, sign_shared(aud="anybody"))[0] == 200
        assert call_whoami(server, sign_shared(key=SECRET[::-1])) == REFUSED
    long = SECRET * 2
    limited = Jwt(secret=Secret(long), audience=None, algorithms=["HS512"], resource_claim="")
    with serve(server={"auth": limited}) as server:
        assert call_whoami(server, sign_shared(long)) == REFUSED
        status, context = call_whoami(server, sign_shared(long, "HS512"))
        assert (status, "mastra__resourceId" in context) == (200, False)


@pytest.mark.parametrize("subject", ["\ud800", "ada\x00"])
def test_a_resource_that_no_database_can_store(serve, subject):
    headers = build_headers(sign_shared(sub=subject))
    with serve(server={"auth": Jwt(secret=SECRET, audience=None)}) as server:
        for method, path, body in (
            ("GET", "/api/memory/threads", None),
            ("POST", "/api/agents/contextAgent/generate", {"messages": "x"}),
            ("POST", "/api/workflows/pureWorkflow/start-async", {"inputData": 1}),
        ):
            refused = server.http.request(method, path, json=body, headers=headers)
            assert refused.status_code == 400
            assert "a character that no database can store" in refused.json()["error"]


def test_public_key(serve):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with serve(server={"auth": Jwt(public_key=pem.decode(), audience=["shop", "bank"])}) as server:
        assert call_whoami(server, sign_shared(key, "ES256", aud="bank"))[0] == 200
        assert call_whoami(server, sign_shared(key, "ES256", aud="other")) == REFUSED
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        assert call_whoami(server, sign_shared(stranger, "RS256", aud="bank")) == REFUSED


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"secret": SECRET, "jwks_url": "https://a.example"},
        {"secret": SECRET, "algorithms": ["RS256"]},
        {"public_key": "x", "algorithms": ["none"]},
        {"jwks_url": ""},
        {"jwks_url": "id.example.com/jwks.json"},
        {"jwks_url": "file:///etc/passwd"},
        {"jwks_url": "https://user:pa55word@id.example.com/jwks.json"},
        {"jwks_url": "user:pa55word@id.example.com/jwks.json"},
        {"jwks_url": "id.example.com/jwks.json?key=pa55word"},
        {"jwks_url": "https://[::1/jwks.json"},
        {"jwks_url": "https://id.example.com:port/jwks.json"},
        {"secret": ""},
        {"secret": SECRET, "audience": 5},
        {"secret": SECRET, "issuer": 5},
        {"secret": SECRET, "leeway": "5"},
    ],
)
def test_invalid_jwt_settings(wrong):
    with pytest.raises(ConfigError) as caught:
        Jwt(**{"audience": None, **wrong})
    assert "pa55word" not in str(caught.value)


def test_the_log_has_no_credentials_of_the_issuer(serve, caplog):
    get_logger("mastra.server").addHandler(caplog.handler)
    auth = Jwt(jwks_url="http://127.0.0.1:1/jwks.json?key=hunter2", audience=None)
    with serve(logger=True, server={"auth": auth}) as server:
        assert call_whoami(server, sign_shared())[0] == 503
    assert "cannot fetch keys from http://127.0.0.1:1/jwks.json" in caplog.text
    get_logger("mastra.server").removeHandler(caplog.handler)
    assert "hunter2" not in caplog.text


def test_keys_are_fetched_within_a_request(issuer):
    auth = Jwt(jwks_url=issuer.url, audience="shop", issuer="https://id.example")
    token = issuer.token("one")
    with serve_guarded(lambda: create_sample(server={"auth": auth})) as server:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: call_whoami(server, token)[0], range(8)))
        assert statuses == [200] * 8
        assert call_whoami(server, issuer.token("none", key=issuer.keys["one"])) == REFUSED
        server.wait_for_ends()
        assert issuer.asked == 1
        assert server.guard.breaches == []
