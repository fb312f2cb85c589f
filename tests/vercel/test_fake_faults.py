"""The fake: injected errors, limits, recorded requests, and the conformance platform."""

import hashlib
import socket
import subprocess
import sys

import httpx
import pytest

from tests.repository import ROOT
from tests.vercel import fake
from tests.vercel.fake_client import make_output, open_client


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        client.create_project()
        yield client


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (fake.PAYMENT_REQUIRED, 402),
        (fake.make_error(403, "forbidden", "no"), 403),
        (fake.TRANSFERRING, 409),
        (fake.API_RETIRED, 410),
        (fake.TOO_LARGE, 413),
        (fake.CLIENT_RETIRED, 426),
        (fake.ADDON_REQUIRED, 428),
        (fake.BUILDS_LIMITED, 429),
        (fake.NOT_JSON, 502),
    ],
)
def test_any_error_can_be_injected(vercel, fault, status):
    vercel.fake.add_fault("GET", "/projects", fault, times=2, skip=1)
    recorded = [vercel.http.get("/v9/projects/shop").status_code for _ in range(4)]
    assert recorded == [200, status, status, 200]


def test_rate_limit_is_reported_in_headers_and_enforced(vercel):
    vercel.fake.set_rate_limit("GET /user", 2)
    responses = [vercel.http.get("/v2/user") for _ in range(3)]
    remaining = [response.headers["x-ratelimit-remaining"] for response in responses]
    assert (remaining, responses[2].status_code) == (["1", "0", "0"], 429)
    assert 0 <= int(responses[2].headers["retry-after"]) <= 60


def test_upload_quota_reports_a_day(vercel):
    vercel.fake.set_upload_quota(1)
    vercel.upload(b"one")
    digest = hashlib.sha1(b"two").hexdigest()
    headers = {"x-vercel-digest": digest, "content-type": "application/octet-stream"}
    response = vercel.http.post("/v2/files", content=b"two", headers=headers)
    assert "24 hours" in response.json()["error"]["message"]
    assert response.headers["retry-after"] == "86400"


def test_variable_failure_can_be_injected_into_a_success(vercel):
    vercel.fake.reject_variable("A", "internal_server_error", "not now")
    item = {"key": "A", "value": "1", "type": "plain", "target": ["preview"]}
    response = vercel.request("POST", "/v10/projects/shop/env", 201, json=item)
    assert response["failed"][0]["error"]["code"] == "internal_server_error"


def test_requests_are_recorded_without_the_token(vercel):
    vercel.request("GET", "/v6/deployments?limit=3")
    [recorded] = vercel.fake.find_requests("GET", "/deployments")
    assert (recorded.query, recorded.status) == ({"limit": ["3"]}, 200)
    assert "authorization" in recorded.headers
    assert vercel.fake.token not in repr(vercel.fake.requests)


def test_fake_implements_the_conformance_platform(vercel):
    vercel.deploy(make_output(more=b"1"))
    recorded = vercel.fake.get_live("production")
    assert recorded.files[".vercel/output/functions/index.func/more.py"] == b"1"
    assert vercel.fake.get_live("preview") is None
    assert len(vercel.fake.list_resources()) == 2
    vercel.fake.reject_changes("not today")
    assert vercel.create_deployment(make_output(), 400)["error"]["message"] == "not today"
    vercel.request("GET", "/v9/projects/shop")
    vercel.fake.clear_faults()
    vercel.fake.fail_deployments("it broke")
    assert vercel.deploy(make_output(more=b"2"))["errorMessage"] == "it broke"
    vercel.fake.reset()
    assert (vercel.fake.list_resources(), vercel.fake.get_live("production")) == ([], None)


def test_deployment_finishes_at_the_first_poll_with_zero_polls(vercel):
    vercel.fake.set_build_speed(polls=0)
    vercel.deploy()
    deployment = vercel.create_deployment(make_output(), target="production")
    assert vercel.request("GET", f"/v13/deployments/{deployment['id']}")["aliasAssigned"] is True


def test_aborted_request_has_no_effect(vercel):
    before = len(vercel.fake.requests)
    host, _, port = vercel.fake.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v2/files HTTP/1.1\r\nauthorization: Bearer {vercel.fake.token}\r\n"
        connection.sendall(head.encode() + b"content-length: 10\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert len(vercel.fake.requests) == before


def test_fake_runs_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "tests.vercel.fake", "--store", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/v2/user", trust_env=False).status_code == 403
        process.terminate()
        assert process.wait(10) == 0
