"""Build backends may look for packages in other directories than src."""

import pytest

from mastra_deployer.project.discovery import find_project
from mastra_deployer.project.import_roots import list_import_roots

SETTINGS = {
    "hatch": '[tool.hatch.build.targets.wheel]\npackages = ["lib/shop"]',
    "hatch sources": '[tool.hatch.build.targets.wheel.sources]\n"lib" = ""',
    "maturin": '[tool.maturin]\npython-source = "lib"',
    "pdm": '[tool.pdm.build]\npackage-dir = "lib"',
    "poetry": '[tool.poetry]\npackages = [{ include = "shop", from = "lib" }]',
    "scikit-build": '[tool.scikit-build]\nwheel.packages = ["lib/shop"]',
    "setuptools": '[tool.setuptools]\npackage-dir = { "" = "lib" }',
    "setuptools find": '[tool.setuptools.packages.find]\nwhere = ["lib"]',
    "uv": '[tool.uv.build-backend]\nmodule-root = "lib"',
}


def write(root, text, *modules):
    for name in modules:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (root / "pyproject.toml").write_text(text)
    return root


@pytest.mark.parametrize("backend", SETTINGS)
def test_directory_that_a_build_backend_names(tmp_path, backend):
    root = write(tmp_path, SETTINGS[backend], "lib/shop/main.py", "other/main.py")
    assert find_project(root, "shop.main:app").import_root == root / "lib"
    assert find_project(root, "other.main:app").import_root == root


@pytest.mark.parametrize("backend", SETTINGS)
def test_src_comes_first(tmp_path, backend):
    root = write(tmp_path, SETTINGS[backend], "lib/shop/main.py", "src/shop/main.py")
    assert find_project(root, "shop.main:app").import_root == root / "src"


@pytest.mark.parametrize("value", ['"../lib"', '"/"', "3", "[1]", '"missing"'])
def test_other_values_are_ignored(tmp_path, value):
    text = f"[tool.maturin]\npython-source = {value}\n"
    root = write(tmp_path / "app", text, "shop/main.py", "../lib/shop/main.py")
    assert find_project(root, "shop.main:app").import_root == root
    assert list_import_roots(root, {"tool": {"poetry": {"packages": ["x"]}}}) == [root]
