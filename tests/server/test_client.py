"""Mastra's own JavaScript client against our server."""

import json

import pytest


@pytest.fixture(scope="module")
def got(node, server):
    return node("client.mjs", server.url)


def types(chunks):
    return [chunk["type"] for chunk in chunks]


def test_agents(got):
    assert list(got["agents"])[:2] == ["echo-agent", "approval-agent"]
    listed = got["agents"]["echo-agent"]
    assert listed["id"] == "echo-agent"
    assert listed["hasDraft"] is False
    assert got["agent"] == got["agentByKey"]
    assert {**got["agent"], "id": "echo-agent", "hasDraft": False} == listed
    assert (listed["provider"], listed["modelId"]) == ("mock", "echo-1")
    schema = json.loads(listed["tools"]["add"]["inputSchema"])["json"]
    assert schema["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer"}}
    assert got["agentMissing"]["status"] == 404
    assert '{"error":"Agent with id nope not found"}' in got["agentMissing"]["message"]


def test_generate(got):
    answer = got["generated"]
    assert answer["text"] == "echo: hi there"
    assert answer["finishReason"] == "stop"
    assert answer["usage"]["totalTokens"] == 10
    assert answer["response"]["messages"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "echo: hi there"}]}
    ]
    assert "traceId" not in answer
    assert [message["role"] for message in answer["messages"]] == ["user", "assistant"]


def test_generate_with_a_tool(got):
    answer = got["generatedTool"]
    assert answer["text"] == "echo: add 2 3"
    assert answer["usage"]["inputTokens"] == 14
    (call,), (result,) = answer["toolCalls"], answer["toolResults"]
    assert call["payload"] == {"toolCallId": "call-1", "toolName": "add", "args": {"a": 2, "b": 3}}
    assert (call["type"], call["from"], call["runId"]) == ("tool-call", "AGENT", answer["runId"])
    assert result["payload"]["result"] == {"sum": 5}
    assert [step["finishReason"] for step in answer["steps"]] == ["tool-calls", "stop"]


def test_structured_output(got):
    assert got["structured"]["object"] == {"a": "x"}
    assert json.loads(got["structured"]["text"]) == {"a": "x"}


def test_failing_generate(got):
    assert got["generateFails"]["status"] == 500
    assert got["generateFails"]["message"].endswith('{"error":"model exploded"}')


def test_stream(got):
    chunks = got["streamText"]
    assert types(chunks) == [
        "start",
        "step-start",
        "text-start",
        *["text-delta"] * 4,
        "text-end",
        "step-finish",
        "finish",
    ]
    assert len({chunk["runId"] for chunk in chunks}) == 1
    assert {chunk["from"] for chunk in chunks} == {"AGENT"}
    deltas = [chunk["payload"]["text"] for chunk in chunks if chunk["type"] == "text-delta"]
    assert deltas == ["echo: ", "hi ", "there ", "you"]
    assert chunks[-1]["payload"]["output"]["text"] == "echo: hi there you"
    assert chunks[-1]["payload"]["output"]["usage"]["totalTokens"] == 10


def test_stream_with_a_tool(got):
    chunks = got["streamTool"]
    head = ["start", "step-start", "tool-call", "tool-result", "step-finish", "step-start"]
    assert types(chunks)[:6] == head
    assert types(chunks)[-3:] == ["text-end", "step-finish", "finish"]
    assert chunks[4]["payload"]["stepResult"] == {"reason": "tool-calls", "isContinued": True}
    assert chunks[-1]["payload"]["output"]["usage"]["totalTokens"] == 20


def test_failing_stream(got):
    chunks = got["streamFails"]
    assert types(chunks) == ["start", "step-start", "error", "step-finish", "finish"]
    error = chunks[2]["payload"]["error"]
    assert error == {"message": "model exploded", "name": "RuntimeError"}
    assert chunks[-1]["payload"]["stepResult"]["reason"] == "error"


def test_tools(got):
    assert got["agentTool"] == got["tool"] == got["tools"]["addTool"]
    assert got["agentToolResult"] == {"sum": 3}
    assert got["toolResult"] == {"sum": 5}
    refused = got["toolRefused"]
    assert refused["error"] is True
    assert refused["message"].startswith("Tool input validation failed for add.")
    assert list(refused["validationErrors"]["fields"]) == ["a"]
    assert got["toolFails"]["status"] == 500
    assert got["toolFails"]["message"].endswith('{"error":"tool exploded"}')
    assert got["toolMissing"]["status"] == 404


def test_workflows(got):
    assert next(iter(got["workflows"])) == "pureWorkflow"
    details = got["workflow"]
    assert details == got["workflows"]["pureWorkflow"]
    assert details["name"] == "pure-workflow"
    assert details["stepGraph"] == [
        {"type": "step", "step": {"id": "double", "canSuspend": False}},
        {"type": "step", "step": {"id": "inc", "canSuspend": False}},
    ]
    assert json.loads(details["inputSchema"])["json"]["required"] == ["n"]
    assert got["workflows"]["slowWorkflow"]["stepGraph"][1]["type"] == "parallel"
    assert got["workflowMissing"]["message"].endswith('{"error":"Workflow not found"}')


def test_run(got):
    result = got["startAsync"]
    assert (result["status"], result["result"]) == ("success", {"n": 11})
    assert result["stepExecutionPath"] == ["double", "inc"]
    assert result["steps"]["input"] == result["input"] == {"n": 5}
    step = result["steps"]["double"]
    assert step["output"] == {"n": 10}
    assert step["endedAt"] >= step["startedAt"] > 1_700_000_000_000
    run = got["runById"]
    assert run["runId"] == got["runId"]
    assert run["createdAt"].endswith("Z")
    assert run["steps"]["inc"]["payload"] == {"n": 10}
    assert run["resourceId"] is None
    assert set(got["runFields"]) == {
        *("runId", "workflowName", "resourceId", "createdAt", "updatedAt", "status", "result")
    }
    assert got["runs"]["total"] >= 1
    assert got["runs"]["runs"][0]["snapshot"]["context"]["input"] == {"n": 5}


def test_mistakes_of_the_caller(got):
    assert got["startTwice"]["status"] == 409
    assert got["badInput"]["status"] == 400
    assert got["resumedAgain"]["status"] == 409


def test_workflow_stream(got):
    chunks = got["workflowStream"]
    pair = ["workflow-step-start", "workflow-step-result"]
    assert types(chunks) == ["workflow-start", *pair, *pair, "workflow-finish"]
    assert chunks[1]["payload"]["stepCallId"] == chunks[2]["payload"]["stepCallId"]
    assert chunks[1]["payload"]["status"] == "running"
    assert "output" not in chunks[1]["payload"]
    assert chunks[-1]["payload"]["finalWorkflowResult"] == {"n": 3}
    written = got["slowStream"][2]
    assert (written["type"], written["from"]) == ("workflow-step-output", "USER")
    assert written["payload"]["output"] == {"hello": 1}
    assert got["slowStream"][-1]["payload"]["finalWorkflowResult"] == {
        "side_a": {"v": "a"},
        "side_b": {"v": "b"},
    }


def test_suspend_and_resume(got):
    suspended = got["suspended"]
    assert suspended["status"] == "suspended"
    assert suspended["suspended"] == [["ask"]]
    assert suspended["suspendPayload"] == {"ask": {"reason": "approve x?"}}
    assert got["resumed"]["result"] == {"done": "yes"}
    assert got["resumed"]["steps"]["ask"]["resumePayload"] == {"ok": True}
    assert types(got["suspendStream"])[-2:] == ["workflow-step-suspended", "workflow-finish"]
    assert got["suspendStream"][-1]["payload"]["workflowStatus"] == "suspended"
    resumed = got["resumeStream"]
    pair = ["workflow-step-start", "workflow-step-result"]
    assert types(resumed) == ["workflow-start", *pair, *pair, "workflow-finish"]
    assert resumed[1]["payload"]["resumePayload"] == {"ok": False}
    assert resumed[-1]["payload"]["finalWorkflowResult"] == {"done": "no"}


def test_failed_run(got):
    assert got["failed"]["status"] == "failed"
    assert got["failedError"] == {"isError": True, "message": "step exploded"}


def test_cancel_and_delete(got):
    assert got["started"] == {"message": "Workflow run started"}
    assert got["cancelled"] == {"message": "Workflow run cancelled"}
    assert got["cancelledRun"]["status"] == "canceled"
    assert got["deleted"] == {"message": "Workflow run deleted"}
    assert got["deletedRun"]["status"] == 404
