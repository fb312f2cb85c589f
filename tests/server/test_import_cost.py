"""Test what importing and starting the server loads."""

import json

HEAVY = ("pluggy", "rich", "httpx", "pydantic", "pydantic_ai", "opentelemetry.sdk", "uvicorn")
LOADED = f"""
import json, sys
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def test_import_is_light(python):
    assert json.loads(python("import mastra_server\n" + LOADED)) == []
    assert python("import mastra_server, sys; print('litestar' in sys.modules)").strip() == "False"


def test_application_is_light(python):
    made = """
from mastra_core import Agent, Mastra
from mastra_server import create_app
agent = Agent(name="a", model="test")
app = create_app(Mastra(agents={"a": agent}))
assert app.state.mastra.agents["a"] is agent
"""
    assert json.loads(python(made + LOADED)) == []


def test_a_bundle_imports_no_debugger_and_no_yaml(python):
    made = """
import importlib.util, sys, types
from mastra_deployer.bundler.asgi_module import format_asgi_module
from mastra_core import Mastra
sys.modules["index"] = types.ModuleType("index")
sys.modules["index"].mastra = Mastra()
for name in [name for name in sys.modules if name.partition(".")[0] in ("pdb", "yaml")]:
    del sys.modules[name]
exec(format_asgi_module("mastra", "index", "mastra", {}))
print("yaml" in sys.modules, "pdb" in sys.modules)
from yaml.scanner import ScannerError
import yaml
print(app.routes != [], yaml.safe_load("a: 1"), yaml.scanner.ScannerError is ScannerError)
"""
    assert python(made) == "False False\nTrue {'a': 1} True\n"


def test_public_names():
    import mastra_server

    assert sorted(mastra_server.__all__) == dir(mastra_server)
    for name in mastra_server.__all__:
        assert callable(getattr(mastra_server, name))


def test_a_framework_agent_over_http(serve):
    """pydantic-ai's cancel scopes must be left in the task that entered them."""
    from mastra_core import Agent, Mastra

    agent = Agent(name="tester", model="test", instructions="Answer.")
    with serve(Mastra(agents={"tester": agent}, logger=False)) as server:
        generated = server.http.post("/api/agents/tester/generate", json={"messages": "hi"})
        stream = server.http.post("/api/agents/tester/stream", json={"messages": "hi"})
    assert generated.status_code == 200, generated.text
    assert generated.json()["text"]
    assert '"type":"finish"' in stream.text
    assert '"type":"error"' not in stream.text
