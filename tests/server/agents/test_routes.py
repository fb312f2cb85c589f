"""Everything an agent may be asked for, by Mastra's own JavaScript client."""

import base64
import json

import pytest

from tests.server.sample_agents import made, paid


@pytest.fixture(scope="module")
def shop(serve):
    with serve(made()) as server:
        yield server


@pytest.fixture(scope="module")
def got(node, shop):
    paid.clear()
    return node("agents.mjs", shop.url)


def types(chunks):
    return [chunk["type"] for chunk in chunks]


def of(chunks, kind):
    return [chunk["payload"] for chunk in chunks if chunk["type"] == kind]


def test_reasoning(got):
    kinds = types(got["thought"])
    assert kinds[:5] == [
        "start",
        "step-start",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
    ]
    assert of(got["thought"], "reasoning-delta") == [{"id": "t1", "text": "Hm."}]
    assert got["thoughtWhole"]["reasoning"] == [{"type": "reasoning", "text": "Hm."}]
    assert got["thoughtWhole"]["text"] == "So."


def test_files(got):
    (file,) = got["drawn"]["files"]
    assert file["type"] == "file"
    assert file["payload"]["mimeType"] == "image/png"
    assert base64.b64decode(file["payload"]["data"]) == b"\x89PNG"


def test_what_a_tool_writes(got):
    (told,) = of(got["worked"], "tool-output")
    assert told == {"toolCallId": "work-0", "toolName": "work", "output": {"done": 1}}
    kinds = types(got["worked"])
    assert kinds.index("tool-call") < kinds.index("tool-output") < kinds.index("tool-result")


def test_an_agent_that_asks_another(got):
    inner = [payload["output"] for payload in of(got["delegated"], "tool-output")]
    assert types(inner)[:3] == ["start", "step-start", "text-start"]
    assert types(inner)[-2:] == ["step-finish", "finish"]
    assert of(got["delegated"], "tool-result")[0]["result"].strip() == "You said help."
    assert got["details"]["agents"] == {"helper": {"id": "helper", "name": "helper"}}


def test_until_idle(got):
    assert types(got["until"])[-1] == "finish"


def test_wishes_of_one_run(got):
    assert got["greeted"]["text"] == "You said hi. Greet Ann."
    assert got["ungreeted"]["status"] == 400
    assert "'name'" in got["ungreeted"]["message"]
    assert got["instructed"]["text"] == "You said hi. Be brief.\n\nAnn is 8."
    assert got["object"]["object"] == {"city": "Oslo"}
    assert [c["object"] for c in got["objectStream"] if c["type"] == "object-result"] == [
        {"city": "Oslo"}
    ]
    assert got["objectFails"]["status"] == 502
    assert "answer cannot be used" in got["objectFails"]["message"]
    assert got["fallback"]["object"] == {"town": "nowhere"}
    assert got["fallback"]["usedFallbackValue"] is True
    assert "object" not in got["warned"]
    stopped = got["stopped"]
    assert (stopped["finishReason"], len(stopped["toolResults"])) == ("tool-calls", 1)
    assert "Unknown tool name: 'work'" in got["inactive"]["text"]


def test_approval(got):
    assert types(got["pay"]) == ["start", "step-start", "tool-call", "tool-call-approval"]
    asked = got["pay"][-1]["payload"]
    assert (asked["toolCallId"], asked["toolName"], asked["args"]) == (
        "pay-0",
        "pay",
        {"amount": 3},
    )
    assert json.loads(asked["resumeSchema"])["required"] == ["approved"]
    (run,) = got["waiting"]["runs"]
    assert (run["runId"], run["status"], got["waiting"]["total"]) == ("run-pay", "suspended", 1)
    assert run["suspendedAt"].endswith("Z")
    assert run["toolCalls"] == [
        {
            "toolCallId": "pay-0",
            "toolName": "pay",
            "args": {"amount": 3},
            "requiresApproval": True,
        }
    ]
    assert (got["wrongCall"]["status"], got["wrongRun"]["status"]) == (400, 404)
    approved = got["approved"]
    assert {chunk["runId"] for chunk in approved} == {"run-pay"}
    kinds = types(approved)
    assert kinds[:5] == ["start", "step-start", "tool-call", "tool-result", "step-finish"]
    assert kinds[-2:] == ["step-finish", "finish"]
    assert of(approved, "tool-result")[0]["result"] == "paid 3"
    assert "".join(p["text"] for p in of(approved, "text-delta")).strip() == "Then: paid 3"
    assert got["approvedTwice"]["status"] == 404


def test_declined(got):
    (result,) = of(got["declined"], "tool-result")
    assert (result["result"], result["isError"]) == ("Too much.", True)
    assert got["declinedWhole"]["text"] == "Then: The tool call was declined."


def test_approval_of_a_whole_answer(got):
    whole = got["payWhole"]
    assert whole["finishReason"] == "suspended"
    assert whole["suspendPayload"]["toolCallId"] == "pay-0"
    assert got["approvedWhole"]["text"] == "Then: paid 3"
    assert got["approvedWhole"]["runId"] == whole["runId"]
    assert got["everything"]["finishReason"] == "suspended"
    assert got["everythingElse"]["text"] == "Then: ready"


def test_several_calls_one_by_one(got):
    assert types(got["payTwice"]).count("tool-call-approval") == 2
    assert types(got["oneOfTwo"])[-1] == "tool-call-approval"
    assert of(got["oneOfTwo"], "tool-result")[0]["result"] == "paid 2"
    assert of(got["twoOfTwo"], "tool-result")[0]["result"] == "paid 1"
    assert types(got["twoOfTwo"])[-1] == "finish"
    assert sorted(paid) == [1, 2, 3, 3]


def test_a_tool_that_waits_for_data(got):
    waits = got["asked"][-1]
    assert waits["type"] == "tool-call-suspended"
    assert waits["payload"]["suspendPayload"] == {"question": "When?"}
    assert types(got["observed"]) == types(got["asked"])
    assert of(got["answered"], "tool-result")[0]["result"] == "answered at eight"
    assert types(got["answered"])[-1] == "finish"
    assert of(got["answeredIdle"], "tool-result")[0]["result"] == "answered at nine"
    assert got["waitingInTheEnd"] == {"runs": [], "total": 0}


def test_tools_of_the_client(got):
    assert got["locatedWith"] == [{"fine": True}] * 2
    assert "Oslo" in got["located"]["text"]
    text = "".join(p["text"] for p in of(got["locatedStream"], "text-delta"))
    assert text.startswith("Then:")
    assert "Oslo" in text


def test_what_another_may_not_decide(serve):
    def confine(request, next_):
        from mastra_server import request_context

        name = request.headers.get("x-user", "")
        if name:
            request_context(request)["mastra__resourceId"] = name
        return next_(request)

    mastra = made()
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
        for path in ("generate", "stream"):
            url = f"/api/agents/shop/{path}"
            assert server.http.post(url, json=again, headers=theirs).status_code == 409
