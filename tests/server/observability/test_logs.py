"""Test the log over HTTP: where it is enabled, without tracebacks and credentials."""

import logging

import pytest

from mastra_server.observability.log_buffer import LogBuffer
from tests.server.sample_app import create_sample

LOGGED = logging.getLogger("shop")


@pytest.fixture(scope="module")
def server(serve):
    mastra = create_sample(server={"logs": True})
    mastra.logger = LOGGED
    LOGGED.setLevel(logging.DEBUG)
    LOGGED.propagate = False
    with serve(mastra) as running:
        LOGGED.info("opened", extra={"door": "front", "api_key": "sk-secret"})
        LOGGED.warning("creaks", extra={"run_id": "r1"})
        try:
            raise OSError("cannot open /etc/shadow")
        except OSError:
            LOGGED.exception("broke", extra={"run_id": "r2"})
        yield running


def get_lines(server, path="/api/logs", **query):
    answer = server.http.get(path, params={"transportId": "memory", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def list_messages(told):
    return [line["msg"] for line in told["logs"] if line["name"] == "shop"]


def test_transports(server):
    assert server.http.get("/api/logs/transports").json() == {"transports": ["memory"]}


def test_fields_without_credentials(server):
    told = get_lines(server)
    assert list_messages(told) == ["opened", "creaks", "broke"]
    opened = next(line for line in told["logs"] if line["msg"] == "opened")
    assert (opened["level"], opened["door"], opened["api_key"]) == ("info", "front", "****")
    assert "shadow" not in str(told), "a traceback was told"


def test_filters(server):
    assert list_messages(get_lines(server, "/api/logs/r1")) == ["creaks"]
    assert list_messages(get_lines(server, logLevel="error")) == ["broke"]
    assert list_messages(get_lines(server, filters="door:front")) == ["opened"]
    assert list_messages(get_lines(server, toDate="2001-01-01")) == []
    assert list_messages(get_lines(server, fromDate="2001-01-01")) == ["opened", "creaks", "broke"]
    assert list_messages(get_lines(server, transportId="file")) == []


def test_pages(server):
    told = get_lines(server, perPage="1", page="2", filters="name:shop")
    assert (list_messages(told), told["page"], told["perPage"]) == (["creaks"], 2, 1)
    assert (told["total"], told["hasMore"]) == (3, True)


@pytest.mark.parametrize(
    "query", [{"transportId": ""}, {"logLevel": "loud"}, {"filters": "x"}, {"fromDate": "soon"}]
)
def test_invalid_queries(server, query):
    answer = server.http.get("/api/logs", params={"transportId": "memory", **query})
    assert answer.status_code == 400


def test_disabled_by_default(serve, monkeypatch):
    monkeypatch.delenv("MASTRA_DEV", raising=False)
    with serve() as server:
        assert server.http.get("/api/logs/transports").json() == {"transports": []}
        assert get_lines(server)["logs"] == []


def test_kept_lines_are_limited_in_number_and_in_size():
    own = logging.getLogger("kept")
    own.setLevel(logging.DEBUG)
    own.propagate = False
    buffer = LogBuffer([own])
    buffer.open()
    for number in range(1200):
        own.info("small", extra={"number": number})
    small = [line["number"] for line in buffer.iter_lines()]
    for number in range(20):
        own.info("x" * 1_000_000, extra={"number": number})
    large = [line["number"] for line in buffer.iter_lines()]
    buffer.close()
    assert small == list(range(200, 1200))
    assert large == list(range(12, 20))
