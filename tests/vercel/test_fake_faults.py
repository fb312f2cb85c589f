"""The fake: answers on demand, limits, what it writes down, and the suite's platform."""

import hashlib
import socket
import subprocess
import sys

import httpx
import pytest

from tests.repository import ROOT
from tests.vercel import fake
from tests.vercel.fake_client import client_of, output


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        client.create_project()
        yield client


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (fake.PAYMENT_NEEDED, 402),
        (fake.failing(403, "forbidden", "no"), 403),
        (fake.TRANSFERRING, 409),
        (fake.GONE, 410),
        (fake.TOO_LARGE, 413),
        (fake.CLIENT_RETIRED, 426),
        (fake.MISSING_ADDON, 428),
        (fake.BUILDS_LIMITED, 429),
        (fake.NOT_JSON, 502),
    ],
)
def test_any_answer_can_be_had_once_or_often(vercel, fault, status):
    vercel.fake.answer("GET", "/projects", fault, times=2, skip=1)
    seen = [vercel.http.get("/v9/projects/shop").status_code for _ in range(4)]
    assert seen == [200, status, status, 200]


def test_a_limit_is_told_in_headers_and_then_refuses(vercel):
    vercel.fake.limit("GET /user", 2)
    answers = [vercel.http.get("/v2/user") for _ in range(3)]
    left = [answer.headers["x-ratelimit-remaining"] for answer in answers]
    assert (left, answers[2].status_code) == (["1", "0", "0"], 429)
    assert 0 <= int(answers[2].headers["retry-after"]) <= 60


def test_the_quota_of_uploads_says_a_day(vercel):
    vercel.fake.limit_uploads(1)
    vercel.upload(b"one")
    digest = hashlib.sha1(b"two").hexdigest()
    headers = {"x-vercel-digest": digest, "content-type": "application/octet-stream"}
    answer = vercel.http.post("/v2/files", content=b"two", headers=headers)
    assert "24 hours" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"] == "86400"


def test_a_variable_can_be_made_to_fail_inside_a_success(vercel):
    vercel.fake.refuse_env("A", "internal_server_error", "not now")
    item = {"key": "A", "value": "1", "type": "plain", "target": ["preview"]}
    answer = vercel.ask("POST", "/v10/projects/shop/env", 201, json=item)
    assert answer["failed"][0]["error"]["code"] == "internal_server_error"


def test_requests_are_written_down_without_the_token(vercel):
    vercel.ask("GET", "/v6/deployments?limit=3")
    [seen] = vercel.fake.asked("GET", "/deployments")
    assert (seen.query, seen.status) == ({"limit": ["3"]}, 200)
    assert "authorization" in seen.headers
    assert vercel.fake.token not in repr(vercel.fake.requests)


def test_it_is_a_platform_for_the_conformance_suite(vercel):
    vercel.deploy(output(more=b"1"))
    seen = vercel.fake.live("production")
    assert seen.files[".vercel/output/functions/index.func/more.py"] == b"1"
    assert vercel.fake.live("preview") is None
    assert len(vercel.fake.things()) == 2
    vercel.fake.refuse("not today")
    assert vercel.announce(output(), 400)["error"]["message"] == "not today"
    vercel.ask("GET", "/v9/projects/shop")
    vercel.fake.heal()
    vercel.fake.fail("it broke")
    assert vercel.deploy(output(more=b"2"))["errorMessage"] == "it broke"
    vercel.fake.reset()
    assert (vercel.fake.things(), vercel.fake.live("production")) == ([], None)


def test_it_comes_along_at_once_where_a_test_has_no_time(vercel):
    vercel.fake.set_pace(looks=0)
    vercel.deploy()
    made = vercel.announce(output(), target="production")
    assert vercel.ask("GET", f"/v13/deployments/{made['id']}")["aliasAssigned"] is True


def test_a_request_that_is_given_up_means_nothing(vercel):
    before = len(vercel.fake.requests)
    host, _, port = vercel.fake.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v2/files HTTP/1.1\r\nauthorization: Bearer {vercel.fake.token}\r\n"
        connection.sendall(head.encode() + b"content-length: 10\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert len(vercel.fake.requests) == before


def test_it_runs_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "tests.vercel.fake", "--store", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/v2/user", trust_env=False).status_code == 403
        process.terminate()
        assert process.wait(10) == 0
