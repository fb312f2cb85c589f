"""Test that no caller makes the server flood the issuer of tokens, or wait for it."""

import http.server
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from mastra_server import Jwt
from mastra_server.auth import jwks
from tests.server.sample_app import create_sample


class Issuer:
    """An issuer that can hang, and send its response slowly or without end."""

    def __init__(self):
        self.keys = {"one": ec.generate_private_key(ec.SECP256R1())}
        self.mode, self.requested, self.active, self.most_active = "", 0, 0, 0
        self.released = threading.Event()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.requested += 1
                issuer.active += 1
                issuer.most_active = max(issuer.active, issuer.most_active)
                try:
                    issuer.respond(self)
                except OSError:  # the server gave up
                    pass
                finally:
                    issuer.active -= 1

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def respond(self, handler):
        if self.mode == "hang":
            self.released.wait()
            return
        handler.send_response(500 if self.mode == "broken" else 200)
        handler.end_headers()
        while self.mode == "endless":
            handler.wfile.write(b" " * 65_536)
        while self.mode == "slow":
            handler.wfile.write(b" ")
            time.sleep(0.1)
        keys = [
            {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name}
            for name, key in self.keys.items()
        ]
        handler.wfile.write(json.dumps({"keys": keys}).encode())

    def sign(self, name="one", key=None):
        claims = {"sub": "ada", "exp": int(time.time()) + 600}
        return jwt.encode(claims, key or self.keys["one"], "ES256", headers={"kid": name})


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.mode = ""
    made.released.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def server(serve, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "_TIMEOUT", 1.0)
    auth = Jwt(jwks_url=issuer.url, audience=None)
    with serve(create_sample(server={"auth": auth})) as running_server:
        yield running_server


def call(server, token):
    """Return the status of a request."""
    headers = {"authorization": f"Bearer {token}"}
    return server.http.get("/api/agents", headers=headers).status_code


def call_all(server, tokens):
    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(lambda token: call(server, token), tokens))


def test_first_callers_share_one_request(server, issuer):
    answers = call_all(server, [issuer.sign()] * 20)
    assert set(answers) == {200}
    assert issuer.requested == 1


def test_a_hanging_issuer_costs_one_timeout(server, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "_RETRY_INTERVAL", 60)
    issuer.mode = "hang"
    answers = call_all(server, [issuer.sign(f"kid-{index}") for index in range(20)])
    assert set(answers) == {503}  # although the issuer has not responded
    assert issuer.requested == 1
    assert call(server, issuer.sign()) == 503
    assert issuer.requested == 1, "soon after a failure, nobody waits"
    issuer.mode = ""
    issuer.released.set()
    monkeypatch.setattr(jwks, "_RETRY_INTERVAL", 0)
    assert call(server, issuer.sign()) == 200


@pytest.mark.parametrize("mode", ["slow", "endless", "broken"])
def test_a_broken_issuer(server, issuer, mode, monkeypatch):
    monkeypatch.setattr(jwks, "_RETRY_INTERVAL", 0)
    issuer.mode = mode
    assert call(server, issuer.sign()) == 503  # although the response of the issuer has no end
    issuer.mode = ""
    assert call(server, issuer.sign()) == 200


def expire_keys(monkeypatch):
    monkeypatch.setattr(jwks, "_MAX_AGE", 0)
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)


def test_callers_with_known_keys_do_not_wait_for_a_hanging_issuer(server, issuer, monkeypatch):
    assert call(server, issuer.sign()) == 200
    issuer.mode = "hang"
    expire_keys(monkeypatch)
    monkeypatch.setattr(jwks, "_TIMEOUT", 30)
    with ThreadPoolExecutor(10) as pool:
        forged = [pool.submit(call, server, issuer.sign(f"forged-{n}")) for n in range(10)]
        assert {call(server, issuer.sign()) for _ in range(20)} == {200}
        assert not any(each.done() for each in forged)
        issuer.released.set()
        assert {each.result() for each in forged} == {401}
    assert issuer.most_active == 1


def test_callers_with_known_keys_do_not_notice_a_broken_issuer(server, issuer, monkeypatch):
    assert call(server, issuer.sign()) == 200
    issuer.mode = "broken"
    expire_keys(monkeypatch)
    tokens = [issuer.sign(name) for number in range(10) for name in ("one", f"forged-{number}")]
    assert call_all(server, tokens) == [200, 401] * 10
    assert issuer.most_active == 1


def test_forged_key_ids_cause_no_flood(server, issuer, monkeypatch):
    assert call(server, issuer.sign()) == 200
    answers = call_all(server, [issuer.sign(f"forged-{index}") for index in range(50)])
    assert set(answers) == {401}
    assert issuer.requested == 1
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)
    for token in [issuer.sign("forged")] * 20 + [issuer.sign("x" * 10_000)] * 20:
        assert call(server, token) == 401
    assert issuer.requested == 2


def test_a_rotated_key_works_at_once(server, issuer, monkeypatch):
    assert call(server, issuer.sign()) == 200
    monkeypatch.setattr(jwks, "_MIN_INTERVAL", 0)
    assert call(server, issuer.sign("forged")) == 401
    issuer.keys["two"] = ec.generate_private_key(ec.SECP256R1())
    assert call(server, issuer.sign("two", issuer.keys["two"])) == 200
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert call(server, issuer.sign("two", stranger)) == 401
