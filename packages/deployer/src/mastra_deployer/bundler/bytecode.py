"""Bytecode for the target's Python, so that no server compiles at its first start.

``unchecked-hash``: neither a copy's new time stamps nor a read-only disk make it useless. The
recorded names are relative, so two machines make the same bytes; import puts the real path in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from mastra_core.errors import BuildError
from mastra_deployer.bundler.prune import Distribution, distributions
from mastra_deployer.interpreters import Interpreter
from mastra_deployer.places import cache_directory, publish, scratch_directory

__all__ = ("compile_tree", "compile_vendor")

_CHILD = Path(__file__).parent / "bytecode_child.py"


def compile_vendor(tree: Path, interpreter: Interpreter) -> None:
    """Compile an installed tree; each distribution is compiled once and kept."""
    cache = cache_directory("bytecode")
    missing: list[tuple[Distribution, Path]] = []
    for item in distributions(tree).values():
        kept = cache / _key(item, interpreter)
        if kept.exists():
            shutil.copytree(kept, tree, dirs_exist_ok=True)
        else:
            missing.append((item, kept))
    _compile(tree, (name for item, _ in missing for name in _sources(item)), interpreter)
    for item, kept in missing:
        _store(tree, item, kept, interpreter.tag)


def compile_tree(tree: Path, interpreter: Interpreter) -> None:
    """Compile every module below ``tree``."""
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.py"))
    _compile(tree, files, interpreter)


def _compile(tree: Path, names: Iterable[str], interpreter: Interpreter) -> None:
    names = list(names)
    if not names:
        return
    done = subprocess.run(
        [interpreter.path, "-I", "-S", str(_CHILD), str(tree)],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"{interpreter.path!r} could not compile the bundle: {done.stderr.strip()[-500:]}",
            "Check the free space, or build with another --python.",
        )


def _sources(item: Distribution) -> Sequence[str]:
    return [name for name in item.files if name.endswith(".py") and not name.startswith("..")]


def _store(tree: Path, item: Distribution, kept: Path, tag: str) -> None:
    with scratch_directory(kept.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name in _sources(item):
            source = tree / _cached_name(name, tag)
            if source.exists():  # a template that only looks like Python does not compile
                target = made / _cached_name(name, tag)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        publish(made, kept)


def _cached_name(name: str, tag: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc".lstrip("/")


def _key(item: Distribution, interpreter: Interpreter) -> str:
    record = (item.info / "RECORD").read_bytes()
    return hashlib.sha256(record + interpreter.full.encode()).hexdigest()[:32]
