"""Which dependencies ship: locks of every tool, local projects, and pruning."""

import json
import os
import subprocess

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"


def list_vendored(root):
    found = {}
    for info in (root / ".mastra/vendor").glob("*.dist-info"):
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        found[name] = version
    return found


def write_library(root, name, source):
    folder = root / name
    (folder / "src" / name).mkdir(parents=True)
    (folder / "src" / name / "__init__.py").write_text(source)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        f'[project]\nname = "{name}"\nversion = "1.2"\ndependencies = ["idna==3.6"]\n'
    )
    return folder


def create_lock(root):
    """Lock with uv; Mastra's own packages come from the wheels under test."""
    command = [find_uv_bin(), "lock"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_uv_lock_decides_versions(project, mastra, echo):
    root = project({INDEX: echo}, dependencies=("idna==3.7",))
    create_lock(root)
    mastra("build", cwd=root).ok()
    assert list_vendored(root)["idna"] == "3.7"
    (root / "pyproject.toml").write_text(
        (root / "pyproject.toml").read_text().replace("idna==3.7", "idna==3.8")
    )
    mastra("build", cwd=root).failed(4, "uv.lock does not match", "uv lock")


def test_lock_with_mastra_packages_and_a_deployer(project, mastra, echo, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", os.environ["MASTRA_TEST_WHEELS"])
    packages = ("mastra-core[agents]", "mastra-deployer-acme", "idna==3.18")
    root = project({INDEX: echo}, dependencies=packages)
    create_lock(root)
    mastra("build", cwd=root).ok()
    have = list_vendored(root)
    assert have["idna"] == "3.18"
    assert "pydantic_ai_slim" in have
    assert not {"mastra_deployer", "mastra_deployer_acme", "uv", "rich"} & have.keys()


def test_requirements_txt_alone_is_enough(project, mastra, echo):
    root = project({INDEX: echo, "requirements.txt": "# pinned\nidna==3.7\nmastra-core\n"})
    (root / "pyproject.toml").unlink()
    mastra("build", cwd=root).ok()
    assert list_vendored(root)["idna"] == "3.7"


def test_pylock_decides_versions(project, mastra, echo):
    root = project({INDEX: echo}, dependencies=("idna",))
    pins = root / "pins.in"
    pins.write_text("idna==3.7\n")
    made = [find_uv_bin(), "pip", "compile", "-q", "--python-version", "3.11", str(pins)]
    subprocess.run([*made, "--format", "pylock.toml", "-o", "pylock.toml"], cwd=root, check=True)
    mastra("build", cwd=root).ok()
    assert list_vendored(root)["idna"] == "3.7"


@pytest.mark.parametrize("locked", [True, pytest.param(False, marks=pytest.mark.full)])
def test_an_editable_path_dependency_ships_as_code(project, mastra, echo, locked):
    source = "from shared import word\n" + echo.replace("echo:", "{word}:")
    config = '[tool.uv.sources]\nshared = { path = "libs/shared", editable = true }\n'
    root = project({INDEX: source}, config, dependencies=("mastra-core", "shared"))
    write_library(root / "libs", "shared", 'word = "from the library"\n')
    if locked:
        pyproject = (root / "pyproject.toml").read_text().replace('"mastra-core", ', "")
        (root / "pyproject.toml").write_text(pyproject)
        create_lock(root)
    mastra("build", cwd=root).ok()
    have = list_vendored(root)
    assert (have["shared"], have["idna"]) == ("1.2", "3.6")
    text = (root / ".mastra/vendor/shared/__init__.py").read_text()
    assert "from the library" in text
    for path in (root / ".mastra/vendor").glob("*.pth"):
        pytest.fail(f"{path} points out of the bundle")
    # A change of the library is a change of the bundle.
    (root / "libs/shared/src/shared/__init__.py").write_text('word = "changed"\n')
    mastra("build", cwd=root).ok()
    assert "changed" in (root / ".mastra/vendor/shared/__init__.py").read_text()


def test_deployers_and_their_requirements_are_dropped(project, mastra, echo):
    root = project({INDEX: echo}, dependencies=("mastra-core", "mastra-deployer-acme"))
    mastra("build", cwd=root).ok()
    have = list_vendored(root)
    assert not {"mastra_deployer", "mastra_deployer_acme", "stamina", "uv", "rich"} & have.keys()


def test_a_direct_requirement_is_never_pruned(project, mastra, echo):
    root = project({INDEX: "import rich\n" + echo}, dependencies=("mastra-core", "rich"))
    mastra("build", cwd=root).ok()
    assert {"rich", "pygments", "markdown_it_py"} <= list_vendored(root).keys()


def test_records_match_the_files_after_pruning(project, mastra, echo):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    vendor = root / ".mastra/vendor"
    for record in vendor.glob("*.dist-info/RECORD"):
        for line in record.read_text().splitlines():
            name = line.split(",", 1)[0].strip('"')
            assert (vendor / name).exists(), f"{record} lists {name}"
        assert (record.parent / "METADATA").exists()


def test_the_bill_of_materials_names_what_ships(project, mastra, echo):
    root = project({INDEX: echo})
    mastra("build", cwd=root).ok()
    bill = json.loads((root / ".mastra/mastra-sbom.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    named = {(item["name"].replace("-", "_"), item["version"]) for item in bill["components"]}
    assert named == {(name.lower(), version) for name, version in list_vendored(root).items()}


def test_include_and_exclude(project, mastra, echo):
    config = '[tool.mastra.build]\ninclude = ["prompts/*.md"]\nexclude = ["src/mastra/notes.txt"]\n'
    files = {
        INDEX: echo,
        "prompts/hello.md": "# hi",
        "src/mastra/notes.txt": "private",
        "src/mastra/words.txt": "shipped",
        "src/mastra/tests/test_x.py": "",
        "src/mastra/.hidden": "",
        "src/unreached/__init__.py": "",
    }
    root = project(files, config)
    mastra("build", cwd=root).ok()
    app = root / ".mastra/app"
    shipped = {
        p.relative_to(app).as_posix() for p in app.rglob("*") if p.suffix in (".md", ".txt", ".py")
    }
    assert shipped == {
        "prompts/hello.md",
        "src/mastra/index.py",
        "src/mastra/words.txt",
        "src/mastra_asgi.py",
        "src/mastra_venv.py",
    }
    project(files, config.replace("prompts", "no-such"))
    mastra("build", cwd=root).failed(4, "matches no file", "Correct the pattern")
    project(files, '[tool.mastra.build]\ninclude = ["prompts/**"]\n')
    mastra("build", cwd=root).ok()
    assert (app / "prompts/hello.md").exists()


def test_modules_found_by_pkgutil_ship(project, mastra):
    files = {
        INDEX: "from mastra_core import Mastra\nfrom skills import found\n"
        "mastra = Mastra(agents=found(), logger=False)\n",
        "src/skills/__init__.py": "import importlib, pkgutil\n"
        "def found():\n"
        "    names = [m.name for m in pkgutil.iter_modules(__path__)]\n"
        "    return {n: importlib.import_module(f'skills.{n}').run for n in names}\n",
        "src/skills/add.py": "async def run(text: str): return 'add'\n",
        "src/skills/sub.py": "async def run(text: str): return 'sub'\n",
    }
    root = project(files)
    agents = mastra("build", "--json", cwd=root).ok().json["registry"]["agents"]
    assert agents == {"add": "add", "sub": "sub"}
