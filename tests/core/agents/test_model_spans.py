"""Test the messages in the spans of model calls."""

import json
import subprocess
import sys

SCRIPT = """
import asyncio, json
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from mastra_core import Agent, Telemetry
from mastra_core.agents.loop import model_span
from mastra_core.telemetry import start_span

def answer(messages, info):
    if len(messages) == 1:
        arguments = '{"user": "ann", "password": "hunter22"}'
        return ModelResponse(parts=[ToolCallPart("login", arguments, "call-1")])
    return ModelResponse(parts=[TextPart("done")])

def login(user: str, password: str) -> str:
    return "welcome"
"""


def test_arguments_of_tools_are_masked_and_instructions_are_there(tmp_path):
    path = tmp_path / "spans.jsonl"
    script = f"""{SCRIPT}
async def main():
    telemetry = Telemetry(record_content=True, export={{"type": "file", "path": {str(path)!r}}})
    telemetry.start()
    with start_span("request"):
        agent = Agent(name="a", model=FunctionModel(answer), instructions="Be brief", tools=[login])
        await agent.generate("log me in")
    telemetry.stop()

asyncio.run(main())
"""
    run(script)
    text = path.read_text()
    assert "hunter22" not in text and "ann" in text
    assert json.dumps("Be brief")[1:-1] in text


def test_messages_are_not_encoded_for_nobody():
    run(f"""{SCRIPT}
def refuse(*_):
    raise AssertionError("nobody gets the messages")

async def main():
    model_span._dump = refuse
    telemetry = Telemetry(export={{"type": "file", "path": "/dev/null"}})
    telemetry.start()
    with start_span("request"):
        await Agent(name="a", model=FunctionModel(answer), tools=[login]).generate("log me in")
    telemetry.stop()

asyncio.run(main())
""")


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
