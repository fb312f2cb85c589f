"""Errors of uv, with the real uv."""

import subprocess
import sys
import zipfile

import pytest

from mastra_core.errors import BuildError
from mastra_deployer.project.uv import run_uv

METADATA = "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"evil/\x1b]0;own\x07.py": ""}, "unacceptable filename"),
        (
            {"evil-1.0.dist-info/entry_points.txt": "[console_scripts]\n../../evil = evil:main\n"},
            "Script path must resolve to a file within the scripts directory",
        ),
    ],
)
def test_a_hostile_wheel_is_not_taken_for_a_network_failure(tmp_path, extra, reason):
    info = "evil-1.0.dist-info"
    files = {"evil/__init__.py": "", f"{info}/METADATA": METADATA, f"{info}/WHEEL": WHEEL, **extra}
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    wheel = tmp_path / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    install = ["pip", "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)]
    with pytest.raises(BuildError) as caught:
        run_uv(install, environment={"UV_CACHE_DIR": str(tmp_path / "cache")})
    assert caught.value.message.startswith("A wheel is damaged")
    assert reason in " ".join(caught.value.message.split())  # uv wraps long lines
    assert "\x1b" not in caught.value.message
    assert not (tmp_path / "evil").exists()


LIMITED = """\
import resource, sys
from mastra_core.errors import BuildError
from mastra_deployer.project.uv import run_uv

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    run_uv(["pip", "compile", "-"], text="idna", environment={"UV_CACHE_DIR": sys.argv[1]})
except BuildError as error:
    print(error.message, error.hint, sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_a_signal_that_ends_uv_is_named(tmp_path):
    """The system ends uv if memory is short, and uv then prints nothing."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, hint = done.stdout.splitlines()
    assert message == "uv was ended by SIGXFSZ."
    assert "Check the free memory and the limits of this machine" in hint
