"""Run the benchmark scripts, and load their modules."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def load_module(name):
    """Import a module of bench/, whose directory is on sys.path for the time of the import only."""
    known = set(sys.modules)
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    sys.path.insert(0, str(BENCH))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCH))
        _forget_modules(set(sys.modules) - known)
    return module


def _forget_modules(names):
    """Forget modules of bench/, whose names modules of tests may have too."""
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).parent == BENCH and not name.startswith("bench_"):
            del sys.modules[name]


def run_script(name, tmp_path, *options):
    """Run a script in its quick form; return its JSON and what it printed."""
    wheels = os.environ.get("MASTRA_TEST_WHEELS")
    if wheels and name in ("run.py", "load.py", "pack_others.py", "vercel.py"):
        options = (*options, "--wheels", wheels)
    output = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(BENCH / name), "--quick", *options, "--json", str(output)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(output.read_text()), done.stdout
