"""Files are read and written alike on every system, whatever its encoding and its line ends."""

import ast

import pytest

from tests.laws.sources import ROOT

SOURCES = [
    path
    for pattern in ("packages/*/src/**/*.py", "examples/mastra-deployer-acme/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if "template" not in path.parts
]
PROCESSES = ("run", "Popen", "check_output")


def get_name(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_text_mode(call):
    words = [word.value for word in call.keywords if word.arg == "mode"]
    modes = [item.value for item in (*call.args[1:2], *words) if isinstance(item, ast.Constant)]
    return "b" not in (modes or ["r"])[0]


def find_missing_words(call):
    """Return the keywords that a call lacks: the default depends on the system."""
    name, words = get_name(call), {word.arg for word in call.keywords}
    wanted = set()
    if name == "read_text" and not call.args:
        wanted = {"encoding"}
    elif name == "write_text":
        wanted = {"newline"} if len(call.args) > 1 else {"encoding", "newline"}
    elif (name == "open" and isinstance(call.func, ast.Name) and is_text_mode(call)) or (
        name in PROCESSES and words & {"text", "universal_newlines"}
    ):
        wanted = {"encoding"}
    return wanted - words


def test_text_has_an_encoding_and_its_line_ends():
    missing = {
        f"{path.relative_to(ROOT)}:{node.lineno}": words
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and (words := find_missing_words(node))
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("path.write_text(text, encoding='utf-8')", {"newline"}),
        ("path.write_text(text)", {"encoding", "newline"}),
        ("path.read_text()", {"encoding"}),
        ("path.read_text('utf-8', 'replace')", set()),
        ("open(path)", {"encoding"}),
        ("open(path, 'rb')", set()),
        ("subprocess.run(command, text=True)", {"encoding"}),
        ("subprocess.run(command)", set()),
    ],
)
def test_law_finds_what_is_missing(code, missing):
    assert find_missing_words(ast.parse(code).body[0].value) == missing
