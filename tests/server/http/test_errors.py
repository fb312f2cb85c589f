"""Test the responses to exceptions, and what the log says about them."""

import json
from pathlib import Path

import pytest

from mastra_core import Mastra, Memory, create_logger
from mastra_core.logs import FileTransport


async def echo(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/memory/threads?agentId=echo&resourceId=ann"),
        ("POST", "/api/agents/echo/generate"),
    ],
)
def test_a_storage_that_cannot_be_used_is_a_503(serve, tmp_path, method, path):
    database, log = tmp_path / "app.db", tmp_path / "app.log"
    logger = create_logger(
        format="json", stream=False, transports={"file": FileTransport(str(log))}
    )
    app = Mastra(
        agents={"echo": echo}, storage=f"sqlite:///{database}", memory=Memory(), logger=logger
    )
    body = {"messages": "hi", "memory": {"thread": "t", "resource": "ann"}}
    with serve(app) as server:
        assert server.http.request(method, path, json=body).status_code == 200
        database.rename(tmp_path / "aside.db")
        answer = server.http.request(method, path, json=body)
    assert (answer.status_code, answer.json()) == (503, {"error": "The storage is not available"})
    (line,) = [each for each in map(json.loads, read_lines(log)) if each["level"] == "error"]
    assert "was deleted or replaced" in line["msg"] and "Put the file back" in line["msg"]
    assert not [name for name in line if "exc" in name or "trace" in name]


def read_lines(path: Path):
    return path.read_text().splitlines()
