"""The documentation is checked against the code."""

import ast
import os
import re
import subprocess
import sys

import pytest

from mastra_core import hooks
from mastra_deployer import kit
from mastra_deployer.cli.main import cli
from tests.laws.sources import PACKAGES, ROOT

PAGES = [
    path
    for pattern in ("README.md", "docs/*.md", "packages/*/README.md", "examples/*/README.md")
    for path in sorted(ROOT.glob(pattern))
]
MINE = (
    "index hooks deployers agents tools workflows configuration errors logging-and-telemetry"
).split()


def page_name(path):
    return path.relative_to(ROOT).as_posix()


def blocks(path, language):
    """Fenced blocks: line number and text."""
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\S*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if re.fullmatch(language, found[1]):
            yield text.count("\n", 0, found.start()) + 2, found[2]


def signatures(source):
    """Every hook in some Python: name to parameters and result, as ``ast`` writes them."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("mastra_"):
            node.args.args = [each for each in node.args.args if each.arg != "self"]
            result = ast.unparse(node.returns) if node.returns else ""
            found[node.name] = f"({ast.unparse(node.args)}) -> {result}"
    return found


def specified():
    return signatures((PACKAGES["core"] / "hooks.py").read_text())


def test_every_hook_is_documented_with_its_signature():
    page = ROOT / "docs" / "hooks.md"
    documented = {}
    for _, block in blocks(page, "python"):
        documented |= signatures(block)
    assert documented == specified()


def test_the_sources_are_what_is_installed():
    installed = {
        name
        for spec in (hooks.DeployerSpec, hooks.PluginSpec)
        for name in vars(spec)
        if name.startswith("mastra_")
    }
    assert installed == set(specified())


def test_every_hook_is_used():
    used = set()
    places = [*(ROOT / "packages").glob("*/src"), ROOT / "examples", ROOT / "tests"]
    for place in places:
        for path in place.rglob("*.py"):
            if path.name != "hooks.py" and ".mastra" not in path.parts:
                used |= set(re.findall(r"def (mastra_\w+)\(", path.read_text(encoding="utf-8")))
    assert set(specified()) <= used


def commands(path):
    """Every `mastra WORD` in code of a page."""
    text = re.sub(
        r"^- Not there yet:.*?(?=^\S|\Z)",
        "",
        path.read_text("utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
    code = [block for _, block in blocks(path, r"(?:sh|console|bash|)")]
    code += re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    for part in code:
        for line in part.splitlines():
            found = re.search(r"(?:^|[ /;])mastra ([a-z][a-z-]*)\b", line.partition("#")[0])
            if found:
                yield found[1]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_commands_exist(path):
    known = set(cli.list_commands(None))
    assert set(commands(path)) <= known


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (path.parent / place).resolve() if place else path
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, target


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_python_in_the_docs_compiles(path):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for line, block in blocks(path, "python"):
        compile(block, f"{page_name(path)}:{line}", "exec", flags, dont_inherit=True)


@pytest.mark.parametrize(
    "name",
    "agents adapters front-ends tools mcp memory workflows logging-and-telemetry server auth openapi "
    "from-typescript".split(),
)
def test_python_in_the_guides_runs(name):
    """All of a page, in order, as somebody would paste it."""
    script = "".join(block for _, block in blocks(ROOT / "docs" / f"{name}.md", "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_index_links_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "index.md" or f"({path.name})" in index, path.name


@pytest.mark.parametrize("name", MINE)
def test_the_page_is_there(name):
    assert (ROOT / "docs" / f"{name}.md").is_file()


def test_every_environment_variable_of_ours_is_documented():
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    names = ("MASTRA_CACHE_DIR", "MASTRA_DISABLE_PLUGINS", "PORT", "HOST")
    for name in (*names, "WEB_CONCURRENCY", "KEEP_ALIVE"):
        assert f"`{name}`" in text, name
    for package in PACKAGES.values():
        for path in package.rglob("*.py"):
            read = r'(?:environ\.get\(|environ\[|getenv\()"(MASTRA_[A-Z_]+)"'
            for name in re.findall(read, path.read_text(encoding="utf-8")):
                assert f"`{name}`" in text, name


def test_every_key_of_the_configuration_is_documented():
    from mastra_deployer.project.config import BuildConfig, CheckConfig, Config, EnvConfig

    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for kind in (BuildConfig, CheckConfig, Config, EnvConfig):
        for key in kind.__struct_fields__:
            assert re.search(rf"\b{key}\b", text), key


def test_the_page_of_the_kit_has_its_public_names():
    text = (ROOT / "docs/kit.md").read_text(encoding="utf-8")
    assert [name for name in kit.__all__ if name not in text] == []
    rows = re.findall(r"^\| (\[?`.+?) \|", text.partition("\n## ")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)[`(]", row)}
    assert named - set(kit.__all__) == set()
