"""Test the memory API with Mastra's JavaScript client."""

import json

import msgspec
import pytest

from mastra_core import Mastra, Memory
from mastra_core.agents import Message
from mastra_core.memory import AgentWithMemory
from mastra_server import request_context
from tests.server.sample_app import EchoAgent, create_sample


class MemAgent(EchoAgent):
    id = "mem-agent"
    name = "Mem Agent"

    async def stream(self, input):
        """As the echo; asked to count, how many messages it is told."""
        count = (Message.user(str(len(input.messages))),)
        asked = msgspec.structs.replace(input, messages=count)
        async for event in super().stream(asked if input.prompt == "count" else input):
            yield event


def create_memory_application(**settings):
    memory = Memory(working_memory="- **Name**:")
    agents = {"memAgent": AgentWithMemory(MemAgent(), memory), "echoAgent": EchoAgent()}
    return Mastra(agents=agents, logger=False, **settings)


@pytest.fixture(scope="module")
def results(node, serve):
    with serve(create_memory_application()) as server:
        return node("memory.mjs", server.url)


def thread(results):
    return {key: value for key, value in results.items() if not key.endswith("At")}


def test_status_and_config(results):
    assert results["status"] == {"result": True, "memoryType": "local"}
    assert results["statusNone"] == {"result": False}
    assert results["statusMissing"]["status"] == 404
    assert results["details"]["supportsMemory"] is True
    config = results["config"]["config"]
    assert (config["lastMessages"], config["semanticRecall"], config["generateTitle"]) == (
        10, False, False,
    )  # fmt: skip
    assert config["workingMemory"]["enabled"] is True
    assert config["observationalMemory"] == {"enabled": False}
    assert results["noMemory"]["status"] == 400


def test_thread(results):
    assert thread(results["created"]) == {
        "id": "t1", "resourceId": "u1", "title": "T", "metadata": {"k": 1},
    }  # fmt: skip
    assert results["created"]["createdAt"].endswith("Z")
    assert results["createdTwice"]["status"] == 409
    assert results["createdBad"]["status"] == results["createdLong"]["status"] == 400
    assert thread(results["thread"]) == thread(results["created"])
    assert results["updated"]["title"] == "T2"
    assert results["updated"]["metadata"] == {"z": 1}
    assert results["deleted"] == {"result": "Thread deleted"}
    assert results["threadMissing"]["message"].endswith('{"error":"Thread not found"}')
    assert results["threadMissing"]["status"] == results["messagesMissing"]["status"] == 404


def test_thread_lists(results):
    listed = results["listed"]
    assert [each["id"] for each in listed["threads"]] == ["t1"]
    counts = {key: value for key, value in listed.items() if key != "threads"}
    assert counts == {"total": 1, "page": 0, "perPage": 100, "hasMore": False}
    assert results["listedByMetadata"]["total"] == 1
    assert results["listedNone"]["threads"] == []


def test_runs_are_stored(results):
    assert results["generated"]["text"] == "echo: remember me"
    messages = results["messages"]["messages"]
    assert [(each["role"], each["content"]["content"]) for each in messages] == [
        ("user", "remember me"),
        ("assistant", "echo: remember me"),
        ("user", "and me"),
        ("assistant", "echo: and me"),
    ]
    for each in messages:
        assert (each["threadId"], each["resourceId"]) == ("t1", "u1")
        assert each["content"]["format"] == 2
        (part,) = each["content"]["parts"]
        assert (part["type"], part["text"]) == ("text", each["content"]["content"])
    counts = {key: value for key, value in results["messages"].items() if key != "messages"}
    assert counts == {
        "total": 4, "page": 0, "perPage": 40, "hasMore": False, "uiMessages": None,
    }  # fmt: skip
    assert results["threadMessages"]["messages"] == messages


def test_message_id_of_a_run(results):
    first, second, _, fourth = results["messages"]["messages"]
    (answer,) = results["generated"]["response"]["dbMessages"]
    assert answer["id"] == second["id"]
    assert (answer["threadId"], answer["resourceId"]) == ("t1", "u1")
    assert [each["id"] for each in results["generated"]["messages"]] == [first["id"], second["id"]]
    start = results["streamed"][0]
    assert (start["type"], start["payload"]["messageId"]) == ("start", fourth["id"])


def test_read_only_run(results):
    assert results["readOnly"]["text"] == "echo: forget me"
    assert results["messages"]["total"] == 4


def test_memory_options_of_a_run(results):
    assert thread(results["told"]) == {
        "id": "t9", "resourceId": "u9", "title": "Nine", "metadata": {"k": 9},
    }  # fmt: skip
    assert results["longNamed"]["status"] == results["withoutId"]["status"] == 400
    assert results["recalled"] == {"false": "echo: 1", "2": "echo: 3", "undefined": "echo: 7"}


def test_threads_of_other_resources(results):
    for name in ("generatedByOthers", "streamedByOthers", "savedByOthers", "notesOfOthers"):
        assert results[name]["status"] == 403, name
        assert "belongs to another resource" in results[name]["message"]
    assert results["generatedWithoutResource"]["status"] == 400


def test_pages_and_filters(results):
    page = results["page"]
    assert [each["content"]["content"] for each in page["messages"]] == ["and me"]
    assert (page["total"], page["page"], page["perPage"], page["hasMore"]) == (4, 1, 1, True)
    assert {each["role"] for each in results["users"]["messages"]} == {"user"}
    included = [each["content"]["content"] for each in results["included"]["messages"]]
    assert included == ["remember me", "echo: remember me"]


def test_saved_messages_are_returned_unchanged(results):
    (saved,) = results["saved"]["messages"]
    assert (saved["id"], saved["type"], saved["threadId"]) == ("m1", "text", "t1")
    assert results["savedListed"]["content"] == saved["content"]
    assert results["savedListed"]["createdAt"] == saved["createdAt"]
    assert results["savedBad"]["status"] == 400
    assert results["deletedMessage"] == {
        "success": True, "message": "1 message deleted successfully",
    }  # fmt: skip
    assert results["deletedMessages"]["message"] == "0 messages deleted successfully"


def test_clones(results):
    cloned = results["cloned"]
    assert (cloned["thread"]["id"], cloned["thread"]["title"]) == ("t2", "Clone of T2")
    clone = cloned["thread"]["metadata"]["clone"]
    originals = [each["id"] for each in results["messages"]["messages"]]
    assert (clone["sourceThreadId"], clone["lastMessageId"]) == ("t1", originals[-1])
    assert list(cloned["messageIdMap"]) == originals
    assert [each["id"] for each in cloned["clonedMessages"]] == [*cloned["messageIdMap"].values()]
    assert {each["threadId"] for each in cloned["clonedMessages"]} == {"t2"}
    some = results["clonedSome"]
    assert some["thread"]["title"] == "Some"
    assert [each["content"]["content"] for each in some["clonedMessages"]] == ["echo: and me"]
    assert results["clonedTwice"]["status"] == 409


def test_working_memory(results):
    form = {"format": "markdown", "content": "- **Name**:"}
    assert results["notes"] == {
        "workingMemory": None, "source": "resource", "workingMemoryTemplate": form,
        "threadExists": True,
    }  # fmt: skip
    assert results["noted"] == {"success": True}
    assert results["notesAfter"]["workingMemory"] == "- **Name**: Ann"


def test_search_without_vectors(results):
    """The original's response without vectors: the latest messages, whatever the query is."""
    found = results["search"]["value"]
    assert (found["query"], found["searchScope"], found["searchType"]) == ("x", "resource", "text")
    assert found["count"] == len(found["results"]) > 2
    newest, second, *_ = found["results"]
    assert (newest["threadId"], newest["context"]["after"]) == ("t1", [])
    assert newest["context"]["before"][-1]["id"] == second["id"]
    assert second["context"]["after"][0]["content"] == newest["content"]
    assert results["searchNothing"]["value"]["results"] == []
    assert results["searchByOthers"]["status"] == 403


def test_unsupported_operations(results):
    for name in ("observations", "observed"):
        assert results[name]["status"] == 501
        assert "does not support observational memory" in results[name]["message"]


class Auth:
    """Lets two people in, each to what is their own."""

    def authenticate(self, token, request):
        return token if token in ("ann", "bob") else None

    def resource(self, user):
        return user


def test_users_access_only_their_own_memory(serve):
    with serve(create_memory_application(server={"auth": Auth()})) as server:

        def call(who, method, path, body=None):
            headers = {"authorization": f"Bearer {who}"}
            path = f"/api{path}"
            return server.http.request(method, path, json=body, headers=headers)

        assert call("eve", "GET", "/memory/threads").status_code == 401
        run = {"messages": "hi", "memory": {"thread": "t1"}}
        assert call("ann", "POST", "/agents/mem-agent/generate", run).status_code == 200
        query = "?agentId=mem-agent"
        assert call("ann", "GET", f"/memory/threads{query}").json()["total"] == 1
        assert call("bob", "GET", f"/memory/threads{query}").json()["total"] == 0
        assert call("bob", "GET", f"/memory/threads{query}&resourceId=ann").status_code == 403
        message = call("ann", "GET", f"/memory/threads/t1/messages{query}").json()["messages"][0]
        saved = {**message, "resourceId": "ann"}
        for method, path, body in (
            ("GET", "/memory/threads/t1", None),
            ("PATCH", "/memory/threads/t1", {"title": "mine"}),
            ("DELETE", "/memory/threads/t1", None),
            ("GET", "/memory/threads/t1/messages", None),
            ("POST", "/memory/threads/t1/clone", {}),
            ("POST", "/memory/threads/t1/transfer", {"resourceId": "bob"}),
            ("GET", "/memory/threads/t1/working-memory", None),
            ("POST", "/memory/threads/t1/working-memory", {"workingMemory": "x"}),
            ("POST", "/memory/threads", {"resourceId": "ann"}),
            ("POST", "/memory/save-messages", {"messages": [saved]}),
            ("POST", "/memory/save-messages", {"messages": [{**saved, "resourceId": "bob"}]}),
            ("POST", "/memory/messages/delete", {"messageIds": message["id"]}),
        ):
            answer = call("bob", method, path + query, body)
            assert answer.status_code == 403, (method, path, answer.text)
        assert call("bob", "POST", "/agents/mem-agent/generate", run).status_code == 403
        asked = {"agent_id": "mem-agent", "input": "hi", "conversation_id": "t1"}
        for path, body in (
            ("/agents/mem-agent/stream", run),
            ("/agents/mem-agent/stream/ui", run),
            ("/v1/responses", asked),
            ("/v1/responses", {**asked, "stream": True}),
        ):
            assert call("bob", "POST", path, body).status_code == 403, path
        assert call("ann", "POST", "/v1/responses", asked).status_code == 200
        include = f'&include=[{{"id":"{message["id"]}"}}]'
        call("bob", "POST", f"/memory/threads{query}", {"resourceId": "bob", "threadId": "t2"})
        told = call("bob", "GET", f"/memory/threads/t2/messages{query}{include}").json()
        assert told["messages"] == []
        assert call("ann", "GET", f"/memory/threads/t1/messages{query}").json()["total"] == 4


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("threads?page=x", "page"),
        ("threads?page=99999999999999999999", "page"),
        ("threads?perPage=-1", "perPage"),
        ("threads?metadata=[1]", "metadata"),
        ("threads?metadata={", "metadata"),
        ("threads?orderBy[direction]=UP", "orderBy"),
        ('threads?orderBy={"field":"title"}', "orderBy"),
        ("threads/t1/messages?filter=3", "filter"),
        ('threads/t1/messages?filter={"dateRange":{"start":"x"}}', "filter.dateRange.start"),
        ("threads/t1/messages?include={}", "include"),
    ],
)
def test_invalid_queries(api, path, field):
    answer = api.get(f"/api/memory/{path}")
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"] == "Invalid query parameters"
    assert told["issues"][0]["field"] == field


def test_application_without_a_memory(serve):
    with serve(create_sample()) as server:
        made = server.http.post("/api/memory/threads", json={"resourceId": "u"})
        assert made.status_code == 200
        assert server.http.get("/api/memory/threads?perPage=false").json()["perPage"] is False
        assert server.http.get("/api/memory/config").json()["config"]["lastMessages"] == 10


def test_openai_conversation_is_a_thread(serve):
    with serve(create_memory_application()) as server:
        body = {"model": "mem-agent", "agent_id": "mem-agent", "conversation_id": "c1"}
        opened = server.http.post("/api/v1/conversations", json={
            "agent_id": "mem-agent", "conversation_id": "c1",
        })  # fmt: skip
        assert opened.json()["thread"]["resourceId"] == "c1"
        for text in ("one", "two"):
            answer = server.http.post("/api/v1/responses", json={**body, "input": text})
            assert answer.status_code == 200, answer.text
        query = "?agentId=mem-agent&resourceId=c1"
        told = server.http.get(f"/api/memory/threads/c1/messages{query}").json()["messages"]
        assert [each["content"]["content"] for each in told] == [
            "one", "echo: one", "two", "echo: two",
        ]  # fmt: skip
        mine = {"resourceId": "ann", "threadId": "t1"}
        server.http.post("/api/memory/threads?agentId=mem-agent", json=mine)
        run = {"messages": "mine?", "memory": {"thread": "t1", "resource": "bob"}}
        for name in ("generate", "stream", "stream/ui"):
            path = f"/api/agents/mem-agent/{name}"
            assert server.http.post(path, json=run).status_code == 403, name


def test_middleware_restricts_to_a_thread(serve):
    def confine(request, next_):
        keys = {"mastra__resourceId": "ann", "mastra__threadId": "t1"}
        request_context(request).update(keys)
        return next_(request)

    with serve(create_memory_application(server_middleware=[confine])) as server:
        path, asked = "/api/agents/memAgent/generate", {"messages": "x"}
        assert server.http.post(path, json=asked).status_code == 200
        assert server.http.get("/api/memory/threads/t1?agentId=memAgent").status_code == 200
        other = {"memory": {"thread": "t2", "resource": "ann"}}
        refused = [
            server.http.post(path, json={**asked, **other}),
            server.http.post("/api/v1/responses", json={
                "model": "memAgent", "input": "x", "conversation_id": "t2",
            }),
            server.http.post("/api/agents/memAgent/send-message", json={
                "message": "x", "threadId": "t2", "resourceId": "ann",
            }),
            server.http.post("/api/agents/memAgent/threads/subscribe", json={"threadId": "t2"}),
            server.http.get("/api/memory/threads/t2?agentId=memAgent"),
            server.http.get("/api/memory/threads/t2/messages?agentId=memAgent"),
            server.http.delete("/api/memory/threads/t2?agentId=memAgent"),
            server.http.post("/api/memory/threads/t1/clone?agentId=memAgent", json={
                "newThreadId": "t2",
            }),
            server.http.post("/api/memory/threads?agentId=memAgent", json={
                "resourceId": "ann", "threadId": "t2",
            }),
        ]  # fmt: skip
        assert [answer.status_code for answer in refused] == [403] * len(refused)


@pytest.mark.parametrize("resource", [0, 7])
def test_a_middleware_may_set_a_number(serve, resource):
    def confine(request, next_):
        request_context(request)["mastra__resourceId"] = resource
        return next_(request)

    with serve(create_sample(memory=Memory(), server_middleware=[confine])) as server:
        threads = "/api/memory/threads"
        own, other = {"resourceId": str(resource)}, {"resourceId": "ann"}
        assert server.http.post(threads, json=own).json()["resourceId"] == str(resource)
        assert server.http.post(threads, json=other).status_code == 403
        path = "/api/workflows/pureWorkflow/start-async"
        assert server.http.post(path, json={"inputData": {"n": 1}}).json()["result"] == {"n": 3}


def test_limits_of_saved_and_included_messages(serve):
    message = {"id": "m", "role": "user", "content": "x", "threadId": "t", "resourceId": "r"}
    with serve(create_sample(memory=Memory())) as server:
        for name in ("id", "threadId", "resourceId"):
            body = {"messages": [{**message, name: "x" * 513}]}
            refused = server.http.post("/api/memory/save-messages", json=body)
            assert refused.json()["issues"][0]["field"] == f"messages.0.{name}"
        server.http.post("/api/memory/threads", json={"threadId": "t", "resourceId": "r"})
        body = {"messages": [{**message, "createdAt": "1970-01-01T00:00:00Z"}]}
        (saved,) = server.http.post("/api/memory/save-messages", json=body).json()["messages"]
        assert saved["createdAt"] == "1970-01-01T00:00:00.000Z"
        path = "/api/memory/threads/t/messages?perPage=0&include="
        around = {"withPreviousMessages": 1_000_000, "withNextMessages": 999}
        for fields, number, status in (
            ({}, 1000, 200),
            ({}, 1001, 400),
            (around, 5, 200),
            (around, 6, 400),
        ):
            include = json.dumps([{"id": "m", **fields}] * number, separators=(",", ":"))
            assert server.http.get(path + include).status_code == status, number
