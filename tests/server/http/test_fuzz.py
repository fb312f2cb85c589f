"""Call every operation of the OpenAPI document with generated data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_core import Memory, SqliteStorage
from tests.server.sample_app import create_sample

pytestmark = pytest.mark.slow

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
HEALTHY = {
    "agentId": ["echoAgent", "approval-agent", "contextAgent", "shout", "missing"],
    "workflowId": ["pureWorkflow", "approve-workflow", "seeWorkflow", "missing"],
    "toolId": ["add", "addTool", "whoami", "ask_shout", "run_pureWorkflow", "missing"],
    "runId": ["run-1", "run-2", "missing"],
    "threadId": ["thread-1", "thread-2", "missing"],
    "resourceId": ["ann", "bob"],
    "serverId": ["mastra", "missing"],
}


def replace_ids(told, names):
    """The document with names that exist, so that more than 404s are seen.

    What is not offered answers 501, which a tester takes for a defect, and a subscription has no
    end for it to wait for.
    """
    for path, methods in list(told["paths"].items()):
        left_out = any("501" in operation["responses"] for operation in methods.values())
        if left_out or path.endswith("/threads/subscribe"):
            del told["paths"][path]
    for methods in told["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in names:
                    parameter["schema"]["enum"] = names[parameter["name"]]
    return told


@pytest.mark.parametrize(
    ("phases", "examples"),
    [
        ("examples,fuzzing", 2),
        pytest.param("examples,coverage,fuzzing", 40, marks=pytest.mark.full),
    ],
)
def test_generated_requests(serve, tmp_path, phases, examples):
    memory = Memory(working_memory=True)
    storage = SqliteStorage(tmp_path / "app.db")
    settings = {"openapi": True, "traces": True, "mcp": True, "run_timeout": 5}
    mastra = create_sample(server=settings, memory=memory, storage=storage)
    with serve(mastra) as server:
        for name in ("thread-1", "thread-2"):
            thread = {"resourceId": "ann", "threadId": name}
            assert server.http.post("/api/memory/threads", json=thread).status_code == 200
        run = server.http.post("/api/agents/echoAgent/generate", json={"messages": "x"}).json()
        names = HEALTHY | {name: [run[name], "missing"] for name in ("traceId", "spanId")}
        told = replace_ids(server.http.get("/api/openapi.json").json(), names)
        (tmp_path / "openapi.json").write_text(json.dumps(told))
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", "openapi.json"]
        options = ["--url", server.url, "--checks", ",".join(CHECKS), "--max-examples"]
        more = ["--phases", phases, "--no-color", "--seed", "1"]
        done = subprocess.run(
            [*command, *options, str(examples), *more],
            cwd=tmp_path,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert server.http.get("/health").status_code == 200
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {sum(map(len, told['paths'].values()))}" in done.stdout
