"""Streams of httpx2 in a Worker yield bytes, whenever their module is imported."""

import asyncio
import importlib
import sys

import pytest

from mastra_deployer_cloudflare.worker.httpx2_fetch import patch_httpx2_fetch

MODULE = """
class EmscriptenStream:
    def __iter__(self):
        yield memoryview(b"one\\ntwo")

class AsyncEmscriptenStream:
    async def __aiter__(self):
        yield memoryview(b"three")
"""


@pytest.fixture
def finders(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    patch_httpx2_fetch()
    yield sys.meta_path
    sys.modules.pop("httpx2_jsfetch", None)


def test_streams_yield_bytes(finders, tmp_path, monkeypatch):
    (tmp_path / "httpx2_jsfetch.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    count = len(finders)
    module = importlib.import_module("httpx2_jsfetch")
    assert [*module.EmscriptenStream()] == [b"one\ntwo"]

    async def read():
        return [chunk async for chunk in module.AsyncEmscriptenStream()]

    assert asyncio.run(read())[0].splitlines() == [b"three"]
    assert len(finders) == count - 1, "the finder is used once"


def test_an_app_without_httpx2_is_unaffected(finders):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("httpx2_jsfetch")
    importlib.import_module("json.tool")
