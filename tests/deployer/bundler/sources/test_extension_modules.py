"""Compiled modules of the app that a build for another Python or machine cannot use."""

import struct
import subprocess
import sys
import sysconfig

import pytest

from mastra_core.pipeline import Platform
from mastra_deployer.bundler.sources.extension_modules import find_unusable_extensions
from tests.sample_projects import write_project

ELF = {name: struct.pack("<16sHH", b"\x7fELF\x02\x01\x01", 3, code) for name, code in
       {"x86_64": 62, "aarch64": 183}.items()}  # fmt: skip
MACH = b"\xcf\xfa\xed\xfe" + bytes(40)
TARGET = Platform(python="3.12", wheels="x86_64-manylinux_2_28")


@pytest.mark.parametrize(
    "files",
    [
        {"shop/fast.cpython-312-x86_64-linux-gnu.so": ELF["x86_64"]},
        {"shop/fast.abi3.so": ELF["x86_64"]},
        {"shop/fast.so": ELF["x86_64"]},
        {"shop/fast.cpython-311-x86_64-linux-gnu.so": ELF["x86_64"], "shop/fast.py": b""},
        {"shop/fast.cp311.pyd": MACH, "shop/fast.cpython-312-x86_64-linux-gnu.so": ELF["x86_64"]},
        {"shop/libfast.so.1": MACH},
        {"shop/fast.txt": MACH},
    ],
)
def test_usable_modules(files):
    assert find_unusable_extensions(files, TARGET) == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fast.cpython-311-x86_64-linux-gnu.so", ELF["x86_64"]),
        ("fast.cpython-312-aarch64-linux-gnu.so", ELF["aarch64"]),
        ("fast.abi3.so", ELF["aarch64"]),
        ("fast.cpython-312-darwin.so", MACH),
        ("fast.cp312-win_amd64.pyd", b"MZ"),
        ("fast.so", b""),
    ],
)
def test_unusable_modules(name, content):
    (problem,) = find_unusable_extensions({f"shop/{name}": content}, TARGET)
    assert problem.where == f"shop/{name}"
    assert "Python 3.12 on x86_64-manylinux_2_28" in problem.message


def test_modules_for_macos():
    target = Platform(python="3.12", wheels="aarch64-apple-darwin")
    assert find_unusable_extensions({"fast.cpython-312-darwin.so": MACH}, target) == ()
    assert find_unusable_extensions({"fast.abi3.so": ELF["aarch64"]}, target)


CODE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", 0, -1, 0};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""


@pytest.mark.slow
def test_a_module_that_is_compiled_in_the_project(tmp_path, mastra):
    """It ships; a bundle for another machine is not started, and gets a warning."""
    app = "import shop.fast\nasync def app(scope, receive, send): raise OSError\n"
    root = write_project(tmp_path, {"shop/main.py": app, "shop/fast.c": CODE}, dependencies=())
    output = root / "shop" / f"fast{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = f"-I{sysconfig.get_path('include')}"
    command = ["cc", "-shared", "-fPIC", include, "shop/fast.c", "-o", output]
    subprocess.run(command, cwd=root, check=True)
    arguments = ("build", "--app", "shop.main:app")
    assert "compiled module" not in mastra(*arguments, cwd=root).ok().err
    other = ("--platform", "aarch64-manylinux_2_28")
    words = " ".join(mastra(*arguments, *other, cwd=root).ok().err.split())
    assert f"The compiled module 'shop/{output.name}' cannot be imported" in words
    output.rename(root / f"shop/fast.cpython-3{sys.version_info[1] + 1}-x86_64-linux-gnu.so")
    mastra(*arguments, cwd=root).failed(2, "cannot import the compiled module 'fast.cpython-3")
    next(root.glob("shop/fast.cpython*")).unlink()
    mastra(*arguments, cwd=root).failed(2, "there is no module 'shop.fast' in the project")
