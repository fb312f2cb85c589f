"""The acceptance suite over `python .mastra/index.py`, and clients of other protocols."""

import asyncio
import os

import openai
import pytest

from mastra_deployer.testing import AppSuite
from tests.server.a2a.official_client import connect, get_text, send

pytestmark = pytest.mark.slow


class TestBuiltApp(AppSuite):
    requires_npm_client = bool(os.environ.get("CI"))

    @pytest.mark.parametrize("version", ["1.0", "0.3"])
    def test_official_a2a_client(self, app_client, app_url, version):
        headers = {"authorization": app_client.headers["authorization"]}

        async def talk():
            async with connect(app_url, "echo", version=version, headers=headers) as (card, client):
                return card, await send(client, "hello my friend")

        card, (first, *updates, last) = asyncio.run(talk())
        assert "bearer" in card.security_schemes
        text = "".join(get_text(each.artifact_update.artifact) for each in updates)
        assert "hello my friend" in text
        assert first.task.id == last.status_update.task_id

    def test_openai_client(self, app_client, app_url, monkeypatch):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        key = app_client.headers["authorization"].removeprefix("Bearer ")
        with openai.OpenAI(base_url=f"{app_url}/api/v1", api_key=key, max_retries=0) as client:
            answer = client.responses.create(model="echo", input="hello")
            assert "hello" in answer.output_text
            opened = client.conversations.create(items=[{"role": "user", "content": "hello"}])
            (item,) = client.conversations.items.list(opened.id)
            assert item.content[0].text == "hello"
            assert client.conversations.delete(opened.id).deleted
