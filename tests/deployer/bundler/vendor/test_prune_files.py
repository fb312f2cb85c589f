"""Which files of a distribution ship: those that its code, or other code, uses."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from mastra_deployer.bundler.sources.module_code import parse_module
from mastra_deployer.bundler.vendor.code_usage import read_code_usage
from mastra_deployer.bundler.vendor.distributions import Distribution
from mastra_deployer.bundler.vendor.prune_files import (
    KeepRule,
    build_keep_rule,
    find_dropped_files,
)
from mastra_deployer.bundler.vendor.unused_requirements import (
    find_imported_unused,
    list_optional_requirements,
    list_undeclared_targets,
)

OPTIONAL = ("redis", "big-cloud", "ruled-paper", "dataclasses", "importlib-metadata")


@pytest.fixture
def install(tmp_path):
    """Install files of a distribution: `install({"kit/__init__.py": "..."})`.

    Each distribution has the optional requirements `OPTIONAL`.
    """

    def install_files(files, name="kit"):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(text.encode() if isinstance(text, str) else text)
        tops = tuple(sorted({path.partition("/")[0] for path in files if path.endswith(".py")}))
        targets = list_undeclared_targets(name, ()).keys()
        usage = read_code_usage(tmp_path, files, targets, OPTIONAL)
        info = f"{name}-1.dist-info"
        return Distribution(
            name=name, version="1", info=info, tops=tops, files=tuple(files), usage=usage
        )

    return install_files


def list_dropped(distribution, tree, rule=None):
    return set(find_dropped_files(distribution, tree, rule or KeepRule()))


def build_rule(distribution, modules=(), others=()):
    shipped = {item.name: item for item in (distribution, *others)}
    return build_keep_rule(distribution, modules, shipped)


UNUSED_FILES = {
    "kit/__init__.py": "text = 'a test of tests, in pyi.md'\n",
    "kit/__init__.pyi": "",
    "kit/core.h": "",
    "kit/core.pyx": "",
    "kit/.agents/skills/use-kit/SKILL.md": "",
    "kit/inner/AGENTS.md": "",
    "kit/inner/CLAUDE.md": "",
    "kit/README.md": "",
    "kit/agents/prompt.md": "",
    "kit/tests/__init__.py": "",
    "kit/tests/test_core.py": "from kit.tests import data\nfrom kit.test.more import x\n",
    "kit/tests/data.json": "{}",
    "kit/test/more.py": "",
    "kit/old.pyc": b"",
    "kit/old.py": "",
    "bin/kit": "#!/machine/venv/bin/python\n",
    "bin/kit-long": "#!/bin/sh\n'''exec' '/machine/a very long path/python' \"$0\" \"$@\"\n' '''\n",
}


def test_files_that_no_code_uses_are_dropped(install, tmp_path):
    kept = {"kit/__init__.py", "kit/old.py", "kit/README.md", "kit/agents/prompt.md"}
    assert list_dropped(install(UNUSED_FILES), tmp_path) == UNUSED_FILES.keys() - kept


def test_keep_ships_everything_but_scripts_of_this_machine(install, tmp_path):
    dropped = list_dropped(install(UNUSED_FILES), tmp_path, KeepRule(whole=True))
    assert dropped == {"bin/kit", "bin/kit-long"}


@pytest.mark.parametrize(
    "source",
    [
        "from pathlib import Path\nPath(__file__).with_suffix('.pyi').read_text()\n",
        "import lazy_loader as lazy\n__getattr__, *_ = lazy.attach_stub(__name__, __file__)\n",
        "from lazy_loader import attach_stub\n__getattr__ = attach_stub(__name__, __file__)[0]\n",
        "SUFFIXES = ('.py', '.pyi')\n",
        'import glob\nglob.glob("*.pyi")\n',
    ],
)
def test_stubs_ship_if_code_reads_them(install, tmp_path, source):
    files = {"kit/__init__.py": source, "kit/__init__.pyi": "", "kit/sub/x.pyi": ""}
    assert list_dropped(install(files), tmp_path) == set()


def test_stubs_of_all_ship_beside_a_type_checker(install, tmp_path):
    checker = {"checker/find.py": "STUB = '.pyi'\n", "checker/typeshed/stdlib/os.pyi": ""}
    checker = install(checker, "checker")
    other = install({"kit/__init__.py": "", "kit/__init__.pyi": ""})
    assert list_dropped(other, tmp_path) == {"kit/__init__.pyi"}
    rule = build_rule(other, others=[checker])
    assert list_dropped(other, tmp_path, rule) == set()
    reader = install({"reader/__init__.py": "STUB = '.pyi'\n"}, "reader")
    assert build_rule(other, others=[reader]) == KeepRule()


@pytest.mark.parametrize(
    "source",
    [
        "from kit.tests import helper\n",
        "from .tests import helper\n",
        "from . import tests\n",
        "from . import (\n    core,\n    tests,\n)\n",
        "import json, kit.tests.helper as h\n",
        "def run():\n    from .tests.helper import run\n    return run()\n",
        "RUNNER = 'kit.tests.helper.Runner'\n",
    ],
)
def test_tests_ship_if_code_imports_them(install, tmp_path, source):
    files = {
        "kit/__init__.py": source,
        "kit/core.py": "",
        "kit/tests/__init__.py": "",
        "kit/tests/helper.py": "from kit.test.more import x\n",
        "kit/tests/words.txt": "",
        "kit/tests/tests/test_helper.py": "",
        "kit/test/more.py": "",
        "kit/sub/tests/test_sub.py": "",
    }
    expected = {"kit/tests/tests/test_helper.py", "kit/sub/tests/test_sub.py"}
    assert list_dropped(install(files), tmp_path) == expected


@pytest.mark.parametrize(
    "source",
    [
        "# from kit.tests import x\n",
        '"""\n>>> from kit.tests import x\n"""\n',
        "test = tests = 1\n",
    ],
)
def test_tests_that_code_only_mentions_are_dropped(install, tmp_path, source):
    files = {"kit/__init__.py": source, "kit/tests/__init__.py": ""}
    assert list_dropped(install(files), tmp_path) == {"kit/tests/__init__.py"}


def test_tests_ship_if_other_code_imports_them(install, tmp_path):
    kit = install({"kit/__init__.py": "", "kit/tests/helper.py": "", "kit/sub/tests/x.py": ""})
    assert build_rule(kit, ["kit", "kit.sub"]) == KeepRule()
    rule = build_rule(kit, ["kit.tests.helper.run"])
    assert list_dropped(kit, tmp_path, rule) == {"kit/sub/tests/x.py"}
    user = install({"user/__init__.py": "from kit.sub.tests import x\n"}, "user")
    rule = build_rule(kit, others=[user])
    assert list_dropped(kit, tmp_path, rule) == {"kit/tests/helper.py"}


@pytest.mark.parametrize("top", ["litestar", "mastra_core"])
@pytest.mark.parametrize(
    "source",
    [
        "from {top}.testing import run\n",
        "from {top} import testing\n",
        "import {top}.testing.client\n",
        "MODULE = '{top}.testing'\n",
    ],
)
def test_a_package_for_tests_ships_only_if_code_imports_it(install, tmp_path, top, source):
    files = {f"{top}/__init__.py": "", f"{top}/testing/__init__.py": "", "kit/testing/x.py": ""}
    distribution = install(files, top)
    assert list_dropped(distribution, tmp_path) == {f"{top}/testing/__init__.py"}
    rule = build_rule(distribution, [f"{top}.testing.TestClient"])
    assert list_dropped(distribution, tmp_path, rule) == set()
    user = install({"user/__init__.py": source.format(top=top)}, "user")
    rule = build_rule(distribution, others=[user])
    assert list_dropped(distribution, tmp_path, rule) == set()


def test_a_package_named_test_ships(install, tmp_path):
    assert list_dropped(install({"test/__init__.py": "", "test/core.py": ""}), tmp_path) == set()


def test_headers_ship_if_code_names_them(install, tmp_path):
    files = {
        "kit/__init__.py": "import os\nopen(os.path.join(os.path.dirname(__file__), 'run.h'))\n",
        "kit/launch.py": "HEADER = f'{ROOT}/include/launch.cpp'\n",
        "kit/run.h": "",
        "kit/include/launch.cpp": "",
        "kit/include/build.h": "",
    }
    assert list_dropped(install(files), tmp_path) == {"kit/include/build.h"}


def test_a_compiled_module_without_source_ships(install, tmp_path):
    assert list_dropped(install({"kit/__init__.py": "", "kit/secret.pyc": b""}), tmp_path) == set()


def test_programs_that_are_no_scripts_for_python_ship(install, tmp_path):
    files = {
        "kit/__init__.py": "",
        "bin/kit": b"\x7fELF\x02\x01\x01",
        "bin/kit.sh": "#!/bin/sh\necho kit\n",
        "bin/kit.pl": "#!/usr/bin/env perl\n",
        "bin/kit-cli": "#!/usr/bin/env python3\n",
    }
    assert list_dropped(install(files), tmp_path) == {"bin/kit-cli"}


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import rich\n", ("rich",)),
        ("def show():\n    from rich.table import Table\n", ("rich",)),
        ("import rich_click as click\n", ("rich_click",)),
        ("try:\n    import rich\nexcept ImportError:\n    rich = None\n", ()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import httpx\n", ()),
        ("import contextlib\nwith contextlib.suppress(ImportError):\n    import httpx\n", ()),
        ("from . import rich\n", ()),
        ("import richer\n", ()),
        ("from litestar import testing\n", ("litestar.testing",)),
        ("import litestar.testing_tools\n", ()),
        (
            "try:\n    from pydantic_ai import Agent, Embedder\nexcept ImportError:\n    pass\n",
            ("pydantic_ai.Embedder",),
        ),
        ("import os, pydantic_ai.embeddings\n", ("pydantic_ai.embeddings",)),
        ("import pydantic_ai as ai\nai.Embedder\n", ("pydantic_ai.Embedder",)),
        ("from pydantic_ai import Agent\nembedders = ()\n", ()),
    ],
)
def test_only_imports_that_must_succeed_count(install, source, imports):
    assert install({"kit/__init__.py": source}).usage.imports == imports


def test_imports_that_are_declared_or_listed_do_not_count():
    assert "rich" in list_undeclared_targets("kit", ["httpx>=1; extra == 'http'"])
    assert "httpx" not in list_undeclared_targets("kit", ["httpx>=1; extra == 'http'"])
    assert "rich" not in list_undeclared_targets("pydantic", [])
    assert "rich_click" not in list_undeclared_targets("kit", ["Rich_Click"])
    assert list_undeclared_targets("kit", [])["pydantic_ai.embeddings"] == {"tiktoken"}
    assert "pydantic_ai.embeddings" not in list_undeclared_targets("pydantic-ai-slim", [])


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("httpx", {"httpx"}),
        ("rich.logging.RichHandler", {"rich"}),
        ("rich_click.rich_command", {"rich-click"}),
        ("litestar.testing.TestClient", {"httpx"}),
        ("litestar.testing_tools", set()),
        ("litestar.plugins.structlog.StructlogPlugin", {"click", "rich"}),
        ("litestar", set()),
        ("richer", set()),
        ("pydantic_ai.Embedder", {"tiktoken"}),
        ("pydantic_ai.realtime.openai_live", {"tiktoken"}),
        ("pydantic_ai.models.openai", set()),
    ],
)
def test_imports_of_the_app_keep_distributions(module, names):
    assert find_imported_unused([module]) == names


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        (
            "import pydantic_ai as ai\n\ndef embed():\n    return ai.Embedder('openai:small')\n",
            True,
        ),
        ("from pydantic_ai import Agent, Embedder\n", True),
        ("from pydantic_ai import *\nembedder = Embedder('openai:small')\n", True),
        ("import pydantic_ai\ngetattr(pydantic_ai, 'Embedder')\n", True),
        ("from pydantic_ai import Agent\nAgent.realtime('openai:gpt-live')\n", True),
        ("import pydantic_ai\nagent = pydantic_ai.Agent()\n", False),
        ("import other\nother.Embedder\n", False),
    ],
)
def test_each_use_of_a_module_keeps_distributions(source, is_found):
    modules = parse_module(source.encode(), "shop").modules
    assert find_imported_unused(modules) == ({"tiktoken"} if is_found else set())


def test_only_the_listed_modules_of_pydantic_ai_import_tiktoken():
    [package] = find_spec("pydantic_ai").submodule_search_locations
    importing = [
        ".".join(path.relative_to(Path(package).parent).with_suffix("").parts)
        for path in Path(package).rglob("*.py")
        if re.search(rb"^\s*(import|from) tiktoken\b", path.read_bytes(), re.MULTILINE)
    ]
    assert importing
    assert all("tiktoken" in find_imported_unused([module]) for module in importing)


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("import redis\n", ("redis",)),
        ("import json\nfrom redis.asyncio import (\n    Redis,\n)\nX = 1\n", ("redis",)),
        ("from big.cloud import storage\nimport big_cloud\n", ("big.cloud", "big_cloud")),
        ("import big.other\n", ()),
        ("from big_cloud_tools import run\n", ()),
        ("try:\n    import redis\nexcept ImportError:\n    raise ImportError('x')\n", ("redis",)),
        ("try:\n    import redis\nfinally:\n    X = 1\n", ("redis",)),
        # Other modules may catch another exception.
        ("try:\n    import redis\nexcept ImportError:\n    raise KeyError\nimport redis.x\n", ()),
        ("from kit import need\nneed('redis')\nimport redis\n", ()),
        ("if not find('redis'):\n    raise KeyError\nimport redis\n", ()),
        ("with lazy_import():\n    import redis\nimport big_cloud\n", ("big_cloud",)),
        ("def run():\n    raise KeyError\nimport redis\n", ("redis",)),
        # Backports have the names of modules of the standard library.
        ("from dataclasses import dataclass\nimport importlib.metadata\n", ()),
        ("import importlib_metadata\n", ("importlib_metadata",)),
        ("X = '\\d'\nimport redis\n", ("redis",)),
        ("A = 1\ntry:\n    import redis\nexcept ImportError:\n    redis = None\n", ()),
        ("A = 1\ntry:\n    import json\nexcept ImportError:\n    import redis\n", ()),
        ("A = 1\ntry:\n    import json\nfinally:\n    pass\nif A:\n    import redis\n", ()),
        ("def run():\n    import redis\n", ()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import redis\n", ()),
        ('"""Write this:\n\nimport redis\n"""\n', ()),
        ('X = """\ntry:\n    import redis\nexcept ImportError:\n    raise\n"""\n', ()),
        ("import redis", ("redis",)),
        ("import redis\nthis is no Python\n", ("redis",)),
        ("from .redis import run\n", ()),
        ("\ufeff# text\nimport redis\n", ("redis",)),
    ],
)
def test_a_module_needs_the_optional_requirements_that_it_always_imports(install, source, required):
    kit = install({"kit/__init__.py": "", "kit/store.py": source})
    assert kit.usage.required == ({"kit/store.py": required} if required else {})


def test_a_file_outside_of_packages_may_be_no_module(install):
    kit = install({"kit/__init__.py": "", "kit/templates/store.py": "import redis\n"})
    assert kit.usage.required == {}


def test_modules_that_cannot_be_imported_do_not_ship(install, tmp_path):
    files = {
        "kit/__init__.py": "",
        "kit/store.py": "import redis\n",
        "kit/cloud/__init__.py": "from big.cloud import storage\n",
        "kit/cloud/client.py": "",
        "kit/paper/__init__.py": "import ruled_paper\n",
        "kit/paper/lines.py": "",
        "kit/paper/form.html": "",
    }
    kit = install(files)
    rule = build_rule(kit, ["kit", "kit.stores"])
    assert find_dropped_files(kit, tmp_path, rule) == {
        "kit/store.py": "it cannot be imported without 'redis'",
        "kit/cloud/__init__.py": "it cannot be imported without 'big.cloud'",
        "kit/cloud/client.py": "it cannot be imported without 'big.cloud'",
        # Without __init__.py, the directory of form.html would be a namespace package.
        "kit/paper/lines.py": "it cannot be imported without 'ruled_paper'",
    }
    assert list_dropped(kit, tmp_path, build_keep_rule(kit, (), {}, whole=True)) == set()
    assert list_dropped(kit, tmp_path, build_keep_rule(kit, (), {}, keep_modules=True)) == set()


@pytest.mark.parametrize(
    ("modules", "others"),
    [
        (["kit.store"], ()),
        (["kit.store.Store"], ()),
        (["redis.asyncio"], ()),
        ((), ("redis",)),
        ((), ("redis-fork",)),
    ],
)
def test_modules_ship_if_their_requirement_ships_or_the_app_names_them(
    install, tmp_path, modules, others
):
    kit = install({"kit/__init__.py": "", "kit/store.py": "import redis\n"})
    distributions = [install({"redis/__init__.py": ""}, name) for name in others]
    rule = build_rule(kit, modules, distributions)
    assert list_dropped(kit, tmp_path, rule) == set()


def test_requirements_of_extras_and_platforms_are_optional():
    requires = ["redis>=5; extra == 'store'", "attrs", "winloop ; os_name == 'nt'", "Rich (>=13)"]
    assert list_optional_requirements(requires) == {"redis", "winloop", "rich"}
