"""Test the log over HTTP: where it is enabled, without tracebacks and credentials."""

import logging

import pytest

from mastra_server import ApiKeys
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


def get_records(server, **query):
    answer = server.http.get("/api/observability/logs", params=query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    own = [each for each in told["logs"] if each["message"] in ("opened", "creaks", "broke")]
    return told["pagination"], own


def test_records_of_studio(server):
    told, records = get_records(server, perPage=100)
    assert [each["message"] for each in records] == ["broke", "creaks", "opened"]
    assert told["total"] >= 3
    assert (records[2]["data"]["door"], records[2]["data"]["api_key"]) == ("front", "****")
    assert (records[1]["runId"], records[1]["level"]) == ("r1", "warn")
    assert "shadow" not in str(records)
    assert len({each["logId"] for each in records}) == 3


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ({"direction": "ASC"}, ["opened", "creaks", "broke"]),
        ({"level": ["warn", "error"]}, ["broke", "creaks"]),
        ({"runId": "r1"}, ["creaks"]),
        ({"timestamp": '{"end": "2020-01-01T00:00:00.000Z"}'}, []),
        ({"timestamp": '{"start": "2020-01-01T00:00:00.000Z"}'}, ["broke", "creaks", "opened"]),
        ({"serviceName": "x"}, []),
        ({"entityType": "agent"}, []),
    ],
)
def test_filters_of_records(server, query, messages):
    told, records = get_records(server, perPage=100, **query)
    assert [each["message"] for each in records] == messages
    assert told["total"] >= len(messages)


def test_pages_of_records(server):
    query = {"perPage": 1, "runId": "r1"}
    assert get_records(server, **query)[0]["hasMore"] is False
    pages = [get_records(server, perPage=1, page=page) for page in range(2)]
    assert pages[0][0]["hasMore"] is True
    assert pages[0][1] != pages[1][1] or pages[0][1] == []


@pytest.mark.parametrize("query", [{"perPage": 0}, {"timestamp": "x"}, {"direction": "up"}])
def test_invalid_queries_of_records(server, query):
    assert server.http.get("/api/observability/logs", params=query).status_code == 400


def test_records_name_their_agent_and_their_owner(serve):
    keys = ApiKeys({"ada": "k-ada", "bob": "k-bob"}, restrict_memory=True)
    with serve(create_sample(server={"logs": True, "auth": keys}, logger=None)) as server:
        ada, bob = ({"authorization": f"Bearer k-{name}"} for name in ("ada", "bob"))
        server.http.post("/api/agents/boom/generate", json={"messages": "x"}, headers=ada)
        path = "/api/observability/logs?entityType=agent"
        (record,) = server.http.get(path, headers=ada).json()["logs"]
        assert (record["entityId"], record["resourceId"], record["level"]) == (
            "boom",
            "ada",
            "error",
        )
        assert server.http.get(path, headers=bob).json()["logs"] == []
        assert server.http.get(path).status_code == 401


def test_no_records_without_lines(serve):
    with serve() as server:
        answer = server.http.get("/api/observability/logs")
        assert (answer.status_code, answer.json()["logs"]) == (200, [])
