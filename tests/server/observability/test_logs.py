"""The log over HTTP: where it is wanted, without tracebacks and credentials."""

import logging

import pytest

from tests.server.sample_app import sample

LOGGED = logging.getLogger("shop")


@pytest.fixture(scope="module")
def server(serve):
    mastra = sample(server={"logs": True})
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


def lines(server, path="/api/logs", **query):
    answer = server.http.get(path, params={"transportId": "memory", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def words(told):
    return [line["msg"] for line in told["logs"] if line["name"] == "shop"]


def test_where_it_is_read(server):
    assert server.http.get("/api/logs/transports").json() == {"transports": ["memory"]}


def test_lines_have_their_fields_and_no_secrets(server):
    told = lines(server)
    assert words(told) == ["opened", "creaks", "broke"]
    opened = next(line for line in told["logs"] if line["msg"] == "opened")
    assert (opened["level"], opened["door"], opened["api_key"]) == ("info", "front", "****")
    assert "shadow" not in str(told), "a traceback was told"


def test_those_of_a_run_a_level_or_a_field(server):
    assert words(lines(server, "/api/logs/r1")) == ["creaks"]
    assert words(lines(server, logLevel="error")) == ["broke"]
    assert words(lines(server, filters="door:front")) == ["opened"]
    assert words(lines(server, toDate="2001-01-01")) == []
    assert words(lines(server, fromDate="2001-01-01")) == ["opened", "creaks", "broke"]
    assert words(lines(server, transportId="file")) == []


def test_pages(server):
    told = lines(server, perPage="1", page="2", filters="name:shop")
    assert (words(told), told["page"], told["perPage"]) == (["creaks"], 2, 1)
    assert (told["total"], told["hasMore"]) == (3, True)


@pytest.mark.parametrize(
    "query", [{"transportId": ""}, {"logLevel": "loud"}, {"filters": "x"}, {"fromDate": "soon"}]
)
def test_what_cannot_be_asked(server, query):
    answer = server.http.get("/api/logs", params={"transportId": "memory", **query})
    assert answer.status_code == 400


def test_it_is_not_told_unless_it_is_wanted(serve, monkeypatch):
    monkeypatch.delenv("MASTRA_DEV", raising=False)
    with serve() as server:
        assert server.http.get("/api/logs/transports").json() == {"transports": []}
        assert lines(server)["logs"] == []
