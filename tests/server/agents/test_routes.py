"""Test every option of an agent run with Mastra's JavaScript client."""

import base64
import json

import pytest

from tests.server.sample_agents import create_application, paid


@pytest.fixture(scope="module")
def shop(serve):
    with serve(create_application()) as server:
        yield server


@pytest.fixture(scope="module")
def results(node, shop):
    paid.clear()
    return node("agents.mjs", shop.url)


def list_types(chunks):
    return [chunk["type"] for chunk in chunks]


def select_chunks(chunks, kind):
    return [chunk["payload"] for chunk in chunks if chunk["type"] == kind]


def test_reasoning(results):
    kinds = list_types(results["thought"])
    assert kinds[:5] == [
        "start",
        "step-start",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
    ]
    assert select_chunks(results["thought"], "reasoning-delta") == [{"id": "t1", "text": "Hm."}]
    whole = results["thoughtWhole"]
    (item,) = whole["reasoning"]
    assert (item["type"], item["from"], item["payload"]["text"]) == ("reasoning", "AGENT", "Hm.")
    assert (whole["reasoningText"], whole["steps"][0]["reasoning"]) == ("Hm.", [item])
    assert results["thoughtWhole"]["text"] == "So."


def test_files(results):
    (file,) = results["drawn"]["files"]
    assert file["type"] == "file"
    assert file["payload"]["mimeType"] == "image/png"
    assert base64.b64decode(file["payload"]["data"]) == b"\x89PNG"


def test_output_of_a_tool(results):
    (told,) = select_chunks(results["worked"], "tool-output")
    assert told == {"toolCallId": "work-0", "toolName": "work", "output": {"done": 1}}
    kinds = list_types(results["worked"])
    assert kinds.index("tool-call") < kinds.index("tool-output") < kinds.index("tool-result")


def test_tool_that_fails(results):
    (told,) = select_chunks(results["failed"], "tool-error")
    assert told == {
        "toolCallId": "fail-0",
        "toolName": "fail",
        "args": {},
        "error": {"name": "Error", "message": "no such row"},
    }
    assert list_types(results["failed"])[-1] == "finish"
    whole = results["failedWhole"]
    assert (whole["text"], whole["toolResults"]) == ("Then: no such row", [])
    (result,) = [part for part in whole["steps"][0]["content"] if part["type"] == "tool-result"]
    assert result["output"] == {"type": "error-text", "value": "no such row"}


def test_arguments_stream(results):
    names = ("tool-call-input-streaming-start", "tool-call-delta", "tool-call-delta")
    names += ("tool-call-input-streaming-end", "tool-call", "tool-call-approval")
    assert list_types(results["pay"])[2:] == list(names)
    deltas = select_chunks(results["pay"], "tool-call-delta")
    assert "".join(each["argsTextDelta"] for each in deltas) == '{"amount":3}'
    assert {each["toolCallId"] for each in deltas} == {"pay-0"}


def test_agent_as_a_tool(results):
    inner = [payload["output"] for payload in select_chunks(results["delegated"], "tool-output")]
    assert list_types(inner)[:3] == ["start", "step-start", "text-start"]
    assert list_types(inner)[-2:] == ["step-finish", "finish"]
    answer = select_chunks(results["delegated"], "tool-result")[0]["result"]
    assert (answer["text"].strip(), answer["subAgentToolResults"]) == ("You said help.", [])
    assert results["details"]["agents"] == {"helper": {"id": "helper", "name": "helper"}}


def test_until_idle(results):
    assert list_types(results["until"])[-1] == "finish"


def test_options_of_a_run(results):
    assert results["greeted"]["text"] == "You said hi. Greet Ann."
    assert results["ungreeted"]["status"] == 400
    assert "'name'" in results["ungreeted"]["message"]
    assert results["instructed"]["text"] == "You said hi. Be brief.\n\nAnn is 8."
    assert results["object"]["object"] == {"city": "Oslo"}
    assert [c["object"] for c in results["objectStream"] if c["type"] == "object-result"] == [
        {"city": "Oslo"}
    ]
    assert results["objectFails"]["status"] == 422
    assert "answer cannot be used" in results["objectFails"]["message"]
    assert results["fallback"]["object"] == {"town": "nowhere"}
    assert results["fallback"]["usedFallbackValue"] is True
    assert "object" not in results["warned"]
    stopped = results["stopped"]
    assert (stopped["finishReason"], len(stopped["toolResults"])) == ("tool-calls", 1)
    assert "Unknown tool name: 'work'" in results["inactive"]["text"]


def test_approval(results):
    kinds = list_types(results["pay"])
    assert (kinds[:2], kinds[-2:]) == (
        ["start", "step-start"],
        ["tool-call", "tool-call-approval"],
    )
    asked = results["pay"][-1]["payload"]
    assert (asked["toolCallId"], asked["toolName"], asked["args"]) == (
        "pay-0",
        "pay",
        {"amount": 3},
    )
    assert json.loads(asked["resumeSchema"])["required"] == ["approved"]
    (run,) = results["waiting"]["runs"]
    assert (run["runId"], run["status"], results["waiting"]["total"]) == ("run-pay", "suspended", 1)
    assert run["suspendedAt"].endswith("Z")
    assert run["toolCalls"] == [
        {
            "toolCallId": "pay-0",
            "toolName": "pay",
            "args": {"amount": 3},
            "requiresApproval": True,
        }
    ]
    assert (results["wrongCall"]["status"], results["wrongRun"]["status"]) == (400, 404)
    approved = results["approved"]
    assert {chunk["runId"] for chunk in approved} == {"run-pay"}
    kinds = list_types(approved)
    assert kinds[:5] == ["start", "step-start", "tool-call", "tool-result", "step-finish"]
    assert kinds[-2:] == ["step-finish", "finish"]
    assert select_chunks(approved, "tool-result")[0]["result"] == "paid 3"
    assert (
        "".join(p["text"] for p in select_chunks(approved, "text-delta")).strip() == "Then: paid 3"
    )
    assert results["approvedTwice"]["status"] == 404


def test_decline(results):
    (result,) = select_chunks(results["declined"], "tool-result")
    assert (result["result"], result["isError"]) == ("Too much.", True)
    assert results["declinedWhole"]["text"] == "Then: The tool call was declined."


def test_approve_and_generate(results):
    whole = results["payWhole"]
    assert whole["finishReason"] == "suspended"
    assert whole["suspendPayload"]["toolCallId"] == "pay-0"
    assert results["approvedWhole"]["text"] == "Then: paid 3"
    assert results["approvedWhole"]["runId"] == whole["runId"]
    assert results["everything"]["finishReason"] == "suspended"
    assert results["everythingElse"]["text"] == "Then: ready"


def test_several_calls_are_decided_one_by_one(results):
    assert list_types(results["payTwice"]).count("tool-call-approval") == 2
    assert list_types(results["oneOfTwo"])[-1] == "tool-call-approval"
    assert select_chunks(results["oneOfTwo"], "tool-result")[0]["result"] == "paid 2"
    assert select_chunks(results["twoOfTwo"], "tool-result")[0]["result"] == "paid 1"
    assert list_types(results["twoOfTwo"])[-1] == "finish"
    assert sorted(paid) == [1, 2, 3, 3]


def test_resume_a_suspended_tool(results):
    waits = results["asked"][-1]
    assert waits["type"] == "tool-call-suspended"
    assert waits["payload"]["suspendPayload"] == {"question": "When?"}
    schema = json.loads(waits["payload"]["resumeSchema"])
    assert schema["properties"] == {"answer": {"type": "string"}}
    assert results["wrongAnswer"]["status"] == 400
    assert "resumeData" in results["wrongAnswer"]["message"]
    assert list_types(results["observed"]) == list_types(results["asked"])
    assert select_chunks(results["answered"], "tool-result")[0]["result"] == "answered at eight"
    assert list_types(results["answered"])[-1] == "finish"
    assert select_chunks(results["answeredIdle"], "tool-result")[0]["result"] == "answered at nine"
    assert results["waitingInTheEnd"] == {"runs": [], "total": 0}


def test_client_tools(results):
    assert results["locatedWith"] == [{"fine": True}] * 2
    assert "Oslo" in results["located"]["text"]
    text = "".join(p["text"] for p in select_chunks(results["locatedStream"], "text-delta"))
    assert text.startswith("Then:")
    assert "Oslo" in text


def test_other_resources_cannot_decide(serve):
    def confine(request, next_):
        from mastra_server import request_context

        name = request.headers.get("x-user", "")
        if name:
            request_context(request)["mastra__resourceId"] = name
        return next_(request)

    mastra = create_application()
    from mastra_core.server import as_middleware

    mastra.server_middleware = (as_middleware(confine),)
    with serve(mastra) as server:
        mine, theirs = {"x-user": "ann"}, {"x-user": "bo"}
        wait = server.http.post("/api/agents/shop/generate", json={"messages": "pay"}, headers=mine)
        decide = {"runId": wait.json()["runId"], "toolCallId": "pay-0"}
        path = "/api/agents/shop/approve-tool-call-generate"
        assert server.http.post(path, json=decide, headers=theirs).status_code == 404
        runs = server.http.get("/api/agents/shop/suspended-runs", headers=theirs)
        assert runs.json()["total"] == 0
        assert server.http.post(path, json=decide, headers=mine).status_code == 200
        wait = server.http.post("/api/agents/shop/generate", json={"messages": "pay"}, headers=mine)
        again = {"messages": "pay", "runId": wait.json()["runId"]}
        for name, status in (("bo", 403), ("ann", 200)):
            body = {"runId": "mine", "resourceId": name}
            greeting = {"messages": "hello", "runId": "mine"}
            server.http.post("/api/agents/shop/stream", json=greeting, headers=mine)
            seen = server.http.post("/api/agents/shop/observe", json=body, headers=mine)
            assert seen.status_code == status
        for path in ("generate", "stream"):
            url = f"/api/agents/shop/{path}"
            assert server.http.post(url, json=again, headers=theirs).status_code == 200
        listed = [
            server.http.get("/api/agents/shop/suspended-runs", headers=headers).json()["runs"]
            for headers in (mine, theirs)
        ]
        assert [(run["runId"], run["resourceId"]) for (run,) in listed] == [
            (again["runId"], "ann"),
            (again["runId"], "bo"),
        ]
