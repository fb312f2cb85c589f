"""Try the commands of `mastra` on this machine: `python .github/try_commands.py`.

The Python that runs this script has mastra's packages. Each command either works or is refused in
a sentence, as `docs/platforms.md` says for this kind of machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

MASTRA = str(Path(sys.executable).with_name("mastra.exe" if os.name == "nt" else "mastra"))
TIMEOUT = 300  # seconds for one command
IMAGE = ("-s", "image=localhost:1/shop")
SITE = ("-s", "project_name=shop", "--python", "3.13")
FUNCTION = WORKER = ("-s", "project_name=shop")
SETTINGS = {"oci": IMAGE, "vercel": SITE, "netlify": FUNCTION, "cloudflare": WORKER}
_CARRIED = "bundle oci -s base=scratch+python"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
# What a kind of machine refuses. All other commands work there.
REFUSED = {
    "linux": frozenset[str](),
    "arm": frozenset({"preview netlify"}),
    "musl": frozenset({_CARRIED, "preview oci", "preview netlify"}),
    "macos": frozenset({_CARRIED, "preview oci", "preview netlify"}),
    "windows": frozenset({_CARRIED, "dev", "preview oci", "preview netlify", "preview vercel"}),
}


def main() -> int:
    """Try every command and return the exit code."""
    kind = get_kind()
    print(f"{kind}: Python {platform.python_version()} at {sys.executable}", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        run("new", "shop", cwd=Path(temporary))
        root = Path(temporary) / "shop"
        for name, command in COMMANDS.items():
            started = time.monotonic()
            if name in REFUSED[kind]:
                expect_refusal(name, root)
            else:
                command(root)
            result = "is refused" if name in REFUSED[kind] else "works"
            print(f"  {name} {result} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


def get_kind() -> str:
    """Return the kind of this machine, a key of ``REFUSED``."""
    if platform.system() == "Linux":
        if platform.libc_ver()[0] != "glibc":
            return "musl"
        return "linux" if platform.machine() == "x86_64" else "arm"
    return {"Darwin": "macos", "Windows": "windows"}[platform.system()]


def run(*arguments: str, cwd: Path) -> str:
    """Run a command that must work, and return its output.

    :param arguments: of ``mastra``.
    :param cwd: the working directory.
    """
    done = run_command(*arguments, cwd=cwd)
    if done.returncode:
        sys.exit(f"mastra {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr}")
    return done.stdout


def run_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result.

    :param arguments: of ``mastra``.
    :param cwd: the working directory.
    """
    return subprocess.run(
        [MASTRA, *arguments],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )


def expect_refusal(name: str, root: Path) -> None:
    """Run a command that must be refused in a sentence with a cure.

    :param name: of the command in ``COMMANDS``.
    :param root: of the project.
    """
    settings = [SETTINGS[word] for word in name.split() if word in SETTINGS]
    done = run_command(*name.split(), *itertools.chain(*settings), cwd=root)
    has_cure = re.search(r"^error: .+\n  \S", done.stderr, re.MULTILINE)
    if not done.returncode or not has_cure or "Traceback" in done.stderr:
        sys.exit(f"mastra {name} was not refused ({done.returncode}):\n{done.stderr}")


@contextlib.contextmanager
def serve(command: list[str], cwd: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """Start a server, and yield its address and the lines that follow.

    :param command: the program with its arguments.
    :param cwd: the working directory.
    """
    environment = {**os.environ, "PORT": "0", "HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        seen = []
        try:
            for line in process.stderr or ():
                seen.append(line)
                if match := _ADDRESS.search(line):
                    yield match[0], iter(process.stderr or ())
                    break
            else:
                sys.exit(f"{command} does not serve:\n{''.join(seen)}")
        finally:
            if os.name == "nt":
                process.terminate()
            else:
                process.send_signal(signal.SIGINT)


def greet(address: str) -> str:
    """Let the agent of the project answer, and return its text.

    :param address: of the server.
    """
    request = urllib.request.Request(  # noqa: S310  # the address of our own server
        f"{address}/api/agents/greeter/generate",
        data=json.dumps({"messages": "Ada"}).encode(),
        headers={"content-type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as response:
        return str(json.load(response)["text"])


def expect_answer(address: str, text: str) -> None:
    """Check what the agent of the project answers.

    :param address: of the server.
    :param text: the expected answer.
    """
    if (answer := greet(address)) != text:
        sys.exit(f"The app answered {answer!r}.")


def try_build(root: Path) -> None:
    """Build, and serve the bundle with the Python behind the environment, which has no packages.

    :param root: of the project.
    """
    run("build", cwd=root)
    python = getattr(sys, "_base_executable", "") or sys.executable
    with serve([python, str(root / ".mastra" / "index.py")], root) as (address, _):
        expect_answer(address, "Hello, Ada!")


def try_start(root: Path) -> None:
    """Serve the bundle by ``mastra start``.

    :param root: of the project.
    """
    with serve([MASTRA, "start"], root) as (address, _):
        expect_answer(address, "Hello, Ada!")


def try_other_platform(root: Path) -> None:
    """Build for a server that is Linux on x86_64.

    :param root: of the project.
    """
    run("build", "--platform", "x86_64-manylinux_2_28", cwd=root)


def try_dev(root: Path) -> None:
    """Serve from the source, and save a file.

    :param root: of the project.
    """
    agents = root / "src" / "mastra" / "agents.py"
    with serve([MASTRA, "dev"], root) as (address, lines):
        expect_answer(address, "Hello, Ada!")
        agents.write_text(agents.read_text("utf-8").replace("Hello", "Bonjour"), "utf-8")
        if not any("reloaded" in line for line in lines):
            sys.exit("mastra dev did not reload the app.")
        expect_answer(address, "Bonjour, Ada!")
    agents.write_text(agents.read_text("utf-8").replace("Bonjour", "Hello"), "utf-8")


def try_preview(target: str, *settings: str) -> Callable[[Path], None]:
    """Return a function that previews a target.

    :param target: its name.
    :param settings: further arguments.
    """

    def preview(root: Path) -> None:
        with serve([MASTRA, "preview", target, "--port", "4311", *settings], root) as (address, _):
            expect_answer(address, "Hello, Ada!")

    return preview


def try_worker(root: Path) -> None:
    """Bundle the project for Cloudflare, where runs of its workflow may be lost."""
    with (root / "pyproject.toml").open("a", encoding="utf-8", newline="\n") as file:
        file.write('\n[tool.mastra.check]\nignore = ["order"]\n')
    run("bundle", "cloudflare", *WORKER, cwd=root)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "check": lambda root: run("check", cwd=root),
    "build": try_build,
    "start": try_start,
    "dev": try_dev,
    "build --platform x86_64-manylinux_2_28": try_other_platform,
    "bundle vercel": lambda root: run("bundle", "vercel", *SITE, cwd=root),
    "bundle oci": lambda root: run("bundle", "oci", *IMAGE, cwd=root),
    _CARRIED: lambda root: run(*_CARRIED.split(), *IMAGE, cwd=root),
    "bundle netlify": lambda root: run("bundle", "netlify", *FUNCTION, cwd=root),
    "bundle cloudflare": try_worker,
    "preview vercel": try_preview("vercel", *SITE),
    "preview netlify": try_preview("netlify", *FUNCTION),
    "preview oci": try_preview("oci", *IMAGE),
}

if __name__ == "__main__":
    sys.exit(main())
