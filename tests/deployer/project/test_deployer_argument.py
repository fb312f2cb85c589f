"""Read `deployer=` without running the file, and remove it from the copy."""

import ast
from pathlib import Path

import pytest

from mastra_core import Secret
from mastra_core.errors import BuildError, ConfigError
from mastra_deployer.bundler.sources.strip_deployer import check_deployer_imports, strip_deployer
from mastra_deployer.project.deployer_argument import (
    EnvReference,
    find_server_settings,
    read_deployer,
)

FILE = Path("index.py")


def parse_deployer(source):
    return read_deployer(FILE, ast.parse(source))


def strip(source):
    data = source.encode()
    tree = ast.parse(data)
    out = strip_deployer(data, tree, read_deployer(FILE, tree)).decode()
    after = ast.parse(out)
    assert len(out.splitlines()) == len(source.splitlines())
    check_deployer_imports(FILE, after, {"acme"})
    return out


def find_positions(source, name):
    """Return lines and columns, in characters, of a name."""
    lines = source.splitlines()
    return [
        (node.lineno, len(lines[node.lineno - 1].encode()[: node.col_offset].decode()))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and node.id == name
    ]


def test_literals_and_references_are_read():
    found = parse_deployer(
        "import os\nfrom mastra_core import Mastra, Secret\nfrom acme import Acme\n"
        "mastra = Mastra(deployer=Acme(a=1, b=['x'], c=os.environ['C'], d=os.getenv('D', 'd'),"
        " e=Secret.env('E'), f=Secret('f'), g=os.environ.get('G')))\n"
    )
    assert (found.module, found.class_name, found.line) == ("acme", "Acme", 4)
    assert found.settings == {
        "a": 1,
        "b": ["x"],
        "c": EnvReference(name="C"),
        "d": EnvReference(name="D", default="d"),
        "e": EnvReference(name="E"),
        "f": Secret("f"),
        "g": EnvReference(name="G"),
    }


@pytest.mark.parametrize(
    "source",
    [
        "mastra = Mastra()",
        "mastra = Mastra(deployer=None)",
        "mastra = 1",
    ],
)
def test_deployer_is_optional(source):
    assert parse_deployer(source) is None


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from a import A\nmastra = Mastra(deployer=A() if x else None)", 2),
        ("from a import A\nd = A()\nd = A()\nmastra = Mastra(deployer=d)", 4),
        ("from a import A\nd = A()\nprint(d)\nmastra = Mastra(deployer=d)", 4),
        ("mastra = Mastra(deployer=A())", 1),
        ("from a import A\nmastra = Mastra(\n  deployer=A(\n    k=f()))", 4),
        ("from a import A\nx = Mastra(deployer=A())\ny = Mastra(deployer=A())", 3),
    ],
)
def test_unreadable_deployer_is_rejected_with_its_line(source, line):
    with pytest.raises(ConfigError, match=rf"index\.py:{line}: deployer="):
        parse_deployer(source)


@pytest.mark.parametrize(
    "source",
    [
        "from acme import Acme\nmastra = Mastra(deployer=Acme(token='t0k'), logger=False)\nafter = 1\n",
        "from acme import Acme\nmastra = Mastra(logger=False, deployer=(  # t0k\n  Acme(token='t0k')\n ))\nafter = 1\n",
        "import acme\nd = acme.Acme(\n    token='t0k',  # t0k\n)\nmastra = Mastra(deployer=d)\nafter = 1\n",
        "import acme.deep as a\nd: object = a.Acme(token='t0k'); mastra = Mastra(deployer=d); after = 1\n",
        "from acme import Acme\nmastra = Mastra(n='é€😀', deployer=Acme(token='t0k', s='é')); after = 1\n",
        "from acme import (\n    Acme,\n)\nmastra = Mastra(deployer=Acme(\n    token='''t0k\nt0k'''\n), logger=False)\nafter = 1\n",
        "from acme import Acme\r\nmastra = Mastra(\r\n    deployer=Acme(token='t0k'),\r\n)\r\nafter = 1\r\n",
    ],
)
def test_stripping_keeps_all_other_positions(source):
    out = strip(source)
    assert "t0k" not in out
    assert "Acme" not in out.replace("acme", "")
    assert find_positions(out, "after") == find_positions(source, "after")
    assert find_positions(out, "mastra") == find_positions(source, "mastra")


def test_imports_with_other_uses_are_kept():
    out = strip(
        "import os\nfrom mastra_core import Mastra, Secret\nfrom acme import Acme\n"
        "HOME = os.environ['HOME']\n"
        "mastra = Mastra(deployer=Acme(token=os.environ['T'], key=Secret.env('K')))\n"
    )
    assert out.splitlines()[:3] == [
        "import os",
        "from mastra_core import Mastra, Secret",
        "pass".ljust(21),
    ]


def test_deployer_with_a_second_use_is_rejected():
    source = "from acme import Acme, other\nother()\nmastra = Mastra(deployer=Acme())\n"
    tree = ast.parse(source)
    out = strip_deployer(source.encode(), tree, read_deployer(FILE, tree))
    with pytest.raises(BuildError, match=r"index\.py:1: 'acme' is a deployer"):
        check_deployer_imports(FILE, ast.parse(out), {"acme"})


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("Mastra(agents={}, server=Server(port=8099, host=HOST))", ["host", "port"]),
        ("mastra_core.Mastra(server={'port': 8099, **rest})", ["port"]),
        ("Mastra(server=settings.server)", ["settings.server"]),
        ("Mastra(server=Server())", []),
        ("Mastra(server=None)", []),
        ("Mastra()\nother(server=Server(port=1))", []),
    ],
)
def test_names_that_server_sets(source, names):
    assert find_server_settings(ast.parse(source)) == names
