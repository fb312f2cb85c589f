"""Test conversations of OpenAI's Responses API with OpenAI's clients."""

from pathlib import Path

import openai
import pytest

from mastra_core import Memory
from mastra_server import ApiKeys
from tests.node import install_packages, run_script
from tests.server.sample_agents import create_application

SCRIPT = Path(__file__).parents[1] / "clients" / "openai.mjs"
KEYS = {"ann": "key-of-ann", "bob": "key-of-bob"}


@pytest.fixture(scope="module")
def shop(serve):
    with serve(create_application(memory=Memory())) as server:
        yield server


@pytest.fixture
def client(shop, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with openai.OpenAI(base_url=f"{shop.url}/api/v1", api_key="none", max_retries=0) as opened:
        yield opened


def list_texts(items):
    return [item.content[0].text for item in items if item.type == "message"]


def test_conversation_is_a_thread(client, shop):
    metadata = {"topic": "work"}
    opened = client.conversations.create(
        metadata=metadata, extra_body={"agent_id": "shop", "resource_id": "ann", "title": "T"}
    )
    again = client.conversations.retrieve(opened.id)
    assert (again.id, again.metadata, again.object) == (opened.id, metadata, "conversation")
    assert again.created_at == opened.created_at > 1_700_000_000
    first = client.responses.create(model="shop", input="hello", conversation=opened.id)
    assert first.conversation.id == opened.id
    second = client.responses.create(
        model="shop", input="work", conversation={"id": opened.id}, stream=True
    )
    assert [*second][-1].response.output_text == "Then: ready"
    items = [*client.conversations.items.list(opened.id)]
    assert list_texts(items) == ["hello", "You said hello.", "work", "Then: ready"]
    kinds = ["message", "message", "message", "function_call", "function_call_output", "message"]
    assert [item.type for item in items] == kinds
    thread = shop.http.get(f"/api/memory/threads/{opened.id}?resourceId=ann").json()
    assert (thread["title"], thread["metadata"]) == ("T", metadata)
    assert client.conversations.delete(opened.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(opened.id)


def test_items_in_pages(client):
    texts = [f"text {index}" for index in range(7)]
    opened = client.conversations.create(
        items=[{"role": "user", "content": each} for each in texts]
    )
    for order, expected in (("asc", texts), ("desc", texts[::-1])):
        page = client.conversations.items.list(opened.id, limit=3, order=order)
        assert (list_texts(page.data), page.has_more) == (expected[:3], True)
        assert list_texts(page) == expected, "OpenAI's client reads every page"
        rest = client.conversations.items.list(opened.id, after=page.data[1].id, order=order)
        assert (list_texts(rest.data), rest.has_more) == (expected[2:], False)
    empty = client.conversations.items.list(client.conversations.create().id)
    assert (empty.data, empty.has_more) == ([], False)


def test_stored_responses_continue_their_conversation(client):
    first = client.responses.create(model="shop", input="hello", store=True)
    again = client.responses.create(model="shop", input="bye", previous_response_id=first.id)
    assert again.conversation == first.conversation
    items = client.conversations.items.list(first.conversation.id)
    assert list_texts(items) == ["hello", "You said hello.", "bye", "You said bye."]
    other = client.conversations.create()
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(
            model="shop", input="x", previous_response_id=first.id, conversation=other.id
        )
    assert "not in this conversation" in refused.value.response.text


def test_functions_of_the_caller_in_a_conversation(client):
    tools = [{"type": "function", "name": "locate", "parameters": {"type": "object"}}]
    opened = client.conversations.create()
    given = {"model": "shop", "conversation": opened.id, "tools": tools}
    (call,) = client.responses.create(input="locate", **given).output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Oslo"}
    assert client.responses.create(input=[output], **given).output_text == "Then: Oslo"
    kinds = [item.type for item in client.conversations.items.list(opened.id)]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_client_of_npm(shop):
    result = run_script(SCRIPT, install_packages("openai@7"), shop.url)
    assert result["texts"] == ["hello", "You said hello.", "bye", "You said bye."]
    assert result["streamed"] == "You said bye."
    assert result["deleted"] is True
    assert result["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"agent_id": "nope"}, 404),
        ("POST", "", {"agent_id": "x" * 600}, 400),
        ("POST", "", {"conversation_id": "x" * 600}, 400),
        ("POST", "", {"metadata": {"k": "x" * 70_000}}, 400),
        ("POST", "", {"items": [{"role": "user", "content": "x"}] * 1001}, 400),
        ("POST", "", {"items": [{"type": "item_reference", "id": "x"}]}, 400),
        ("POST", "", {"items": "x"}, 400),
        ("GET", "/none", None, 404),
        ("GET", "/none/items", None, 404),
        ("DELETE", "/none", None, 404),
        ("GET", "/known/items?limit=0", None, 400),
        ("GET", "/known/items?limit=9999", None, 400),
        ("GET", "/known/items?limit=x", None, 400),
        ("GET", "/known/items?order=up", None, 400),
        ("GET", "/known/items?after=none", None, 400),
        ("GET", f"/known/items?after={'x' * 600}", None, 400),
        ("POST", "", {"conversation_id": "known"}, 409),
    ],
)
def test_invalid_requests(shop, method, path, body, status):
    shop.http.post("/api/v1/conversations", json={"conversation_id": "known"})
    answer = shop.http.request(method, f"/api/v1/conversations{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_conversations_belong_to_their_users(serve):
    auth = ApiKeys(KEYS, restrict_memory=True)
    application = create_application(memory=Memory(), server={"auth": auth})
    with serve(application) as server:

        def call(user, method, path, body=None):
            headers = {"authorization": f"Bearer {KEYS[user]}"} if user else {}
            return server.http.request(method, f"/api/v1/{path}", json=body, headers=headers)

        opened = call("ann", "POST", "conversations", {"conversation_id": "c1"}).json()
        assert opened["thread"]["resourceId"] == "ann"
        asked = {"model": "shop", "input": "hello", "conversation": "c1"}
        for user, status in (("ann", 200), ("bob", 403), ("", 401)):
            for method, path, body in (
                ("GET", "conversations/c1", None),
                ("GET", "conversations/c1/items", None),
                ("POST", "responses", asked),
                ("POST", "responses", {**asked, "stream": True}),
                ("DELETE", "conversations/c1", None),
            ):
                if user != "ann" or method != "DELETE":
                    assert call(user, method, path, body).status_code == status, (user, path)
        foreign = {"conversation_id": "c2", "resource_id": "ann"}
        assert call("bob", "POST", "conversations", foreign).status_code == 403
        assert call("bob", "POST", "conversations", {"conversation_id": "c1"}).status_code == 409
        assert call("ann", "DELETE", "conversations/c1").status_code == 200


def test_agents_without_a_memory(serve):
    with serve(create_application()) as server:
        refused = server.http.post("/api/v1/conversations", json={"agent_id": "shop"})
        assert refused.status_code == 400
        assert "does not have memory" in refused.json()["error"]
        body = {"model": "shop", "input": "x", "conversation": "c1"}
        assert server.http.post("/api/v1/responses", json=body).status_code == 400
        stored = server.http.post("/api/v1/responses", json={**body, "conversation": None})
        assert stored.json()["conversation_id"] is None
