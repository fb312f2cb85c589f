"""A failed start names what was left out of the bundle, and the setting that keeps it."""

import pytest

from mastra_core.pipeline import Environment, Project
from mastra_deployer.bundler.metadata.inventory import Inventory, InventoryEntry
from mastra_deployer.bundler.verify.pruned_cause import find_pruned_cause
from tests.deployer.bundler.wheelhouse import write_wheel

INVENTORY = Inventory(
    app=("src/mastra/index.py",),
    dropped={
        "src/shop/seed.py": "[tool.mastra.build] exclude, or a deployer of the project",
        "src/shop/tests": "a test that nothing imports",
        "src/stray.py": "no code in the bundle imports or names it",
    },
    distributions={
        "rich": InventoryEntry(version="1", tops=("rich",), reason="litestar requires it"),
        "kit": InventoryEntry(
            version="1",
            tops=("kit",),
            dropped={
                "type stubs": ("kit/__init__.pyi",),
                "tests": ("kit/tests/helper.py",),
                "it cannot be imported without 'redis'": ("kit/store.py",),
            },
        ),
    },
)


@pytest.mark.parametrize(
    ("message", "missing", "frame", "sentence", "setting"),
    [
        ("No module named 'rich'", "rich", "", "'rich' does not ship", 'keep = ["rich"]'),
        ("No module", "rich.table", "", "litestar requires it", 'keep = ["rich"]'),
        ("No module", "kit.tests", "", "'kit.tests' of 'kit' does not", 'keep = ["kit"]'),
        ("No module", "kit.store", "", "cannot be imported without 'redis'", "provides 'redis'"),
        ("cannot import name 'tests' from 'kit' (x)", None, "", "tests", 'keep = ["kit"]'),
        ("no stub '/b/vendor/kit/__init__.pyi'", None, "", "type stubs", 'keep = ["kit"]'),
        ("no __init__.pyi", None, "/b/vendor/kit/a.py", "type stubs", 'keep = ["kit"]'),
        ("no file '/b/vendor/kit/store.py'", None, "", "without 'redis'", 'keep = ["kit"]'),
        ("No module", "shop.seed", "", "exclude", "Remove it from [tool.mastra.build] exclude"),
        ("No module", "shop.tests.x", "", "a test", 'include = ["src/shop/tests/x.py"]'),
        ("No module", "stray", "", "no code in the bundle", 'include = ["src/stray.py"]'),
    ],
)
def test_the_cause_is_named(tmp_path, message, missing, frame, sentence, setting):
    cause = find(tmp_path, message, missing, frame)
    assert sentence in cause.message
    assert setting in cause.hint


@pytest.mark.parametrize(
    ("message", "missing", "frame"),
    [
        ("No module named 'numpy'", "numpy", ""),
        ("no __init__.pyi", None, "/b/vendor/other/a.py"),
        ("no store.py", None, "/b/vendor/kit/a.py"),
        ("division by zero", None, "/b/vendor/kit/a.py"),
        ("cannot import name 'x' from 'kit'", None, ""),
    ],
)
def test_other_failures_have_no_such_cause(tmp_path, message, missing, frame):
    assert find(tmp_path, message, missing, frame) is None


def find(root, message, missing, frame):
    entry = root / "src/mastra/index.py"
    entry.parent.mkdir(parents=True)
    entry.touch()
    project = Project(
        root=root,
        import_root=root / "src",
        module="mastra.index",
        attribute="mastra",
        name="p",
        environment=Environment(),
        config={},
    )
    error = {"message": message, "missing": missing, "frames": [[frame, 1, "", ""]]}
    return find_pruned_cause(error, INVENTORY, project)


@pytest.mark.full
@pytest.mark.slow
def test_the_setting_in_the_error_is_the_cure(project, mastra, echo, tmp_path):
    house = tmp_path / "wheels"
    source = "from pathlib import Path\nPath(__file__).with_suffix('.p' + 'yi').read_text()\n"
    files = {"hidden_stub/__init__.py": source, "hidden_stub/__init__.pyi": ""}
    write_wheel(house, "equality-of-hidden-stub", files)
    dependencies = ("mastra-core", "equality-of-hidden-stub==1")
    app = {"src/mastra/index.py": "import hidden_stub\n" + echo}
    root = project(app, dependencies=dependencies)
    here = {"UV_FIND_LINKS": str(house)}
    setting = 'keep = ["equality-of-hidden-stub"]'
    words = ("index.py:1", "'hidden_stub/__init__.pyi'", "type stubs", setting)
    mastra("build", cwd=root, **here).failed(4, *words)
    root = project(app, f"[tool.mastra.build]\n{setting}\n", dependencies=dependencies)
    mastra("build", cwd=root, **here).ok()
    assert (root / ".mastra/vendor/hidden_stub/__init__.pyi").exists()


@pytest.mark.full
@pytest.mark.slow
def test_the_package_in_the_error_is_the_cure(project, mastra, echo, tmp_path):
    house = tmp_path / "wheels"
    metadata = "Provides-Extra: store\nRequires-Dist: equality-redis; extra == 'store'\n"
    files = {"kit/__init__.py": "", "kit/store.py": "import equality_redis\n"}
    write_wheel(house, "equality-of-kit", files, metadata=metadata)
    write_wheel(house, "equality-redis", {"equality_redis.py": ""})
    source = "from importlib import import_module\nimport_module('kit.' + 'store')\n"
    app = {"src/mastra/index.py": source + echo}
    here = {"UV_FIND_LINKS": str(house)}
    dependencies = ("mastra-core", "equality-of-kit==1")
    root = project(app, dependencies=dependencies)
    words = ("index.py:2", "'kit.store'", "without 'equality_redis'", "Add the package")
    mastra("build", cwd=root, **here).failed(4, *words)
    root = project(app, dependencies=(*dependencies, "equality-redis==1"))
    mastra("build", cwd=root, **here).ok()
    assert (root / ".mastra/vendor/kit/store.py").exists()
    # Mastra's own errors name the missing package.
    assert (root / ".mastra/vendor/mastra_core/telemetry/provider.py").exists()
