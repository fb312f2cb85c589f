"""Which files the app is made of, and when one of them is saved."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from mastra_core.pipeline import Project, Report
from mastra_deployer.bundler.sources.first_party import NOT_CODE, NOT_SHIPPED, TESTS, top_modules
from mastra_deployer.project.discovery import config_of
from mastra_deployer.project.environment import DEVELOPMENT

__all__ = ("Watch",)

_STEP = 50  # milliseconds of silence after which several saves are one
# Of editors, and what programs write while they run.
_PASSING = (
    "*~",
    "*.swp",
    "*.swx",
    "*.swo",
    "#*#",
    "4913",
    "*.tmp",
    "*.bak",
    "*___jb_*",
    "*.orig",
) + ("*.log", "*.pid", "*.sock", "*.lock", "*.db", "*.db-*", "*.sqlite*", "*-journal", "*.wal")
_PROJECT = ("pyproject.toml", "uv.lock", "pylock.toml", "requirements.txt", *DEVELOPMENT)
Place = tuple[str, int]


class Watch:
    """The first-party code, pyproject.toml, the environment files, and what else ships.

    :param report: told when the system cannot watch, and files are looked at in turn instead.
    """

    def __init__(self, project: Project, env_file: Path | None, report: Report) -> None:
        self._project = project
        self._env_file = env_file.absolute() if env_file else None
        self._report = report
        self._queue: asyncio.Queue[set[str]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._armed: list[list[Place]] = []
        self._arm()

    async def next(self) -> set[str]:
        """The next saved files, relative to the project; several in quick succession at once."""
        while True:
            paths = await self._queue.get()
            found = {self._shown(path) for path in paths if self._is_ours(Path(path))}
            if self._places() != self._armed:  # a package came, went, or was put in place anew
                before = {place for place, _ in self._armed[0]}
                self._arm()
                found |= {self._shown(place) for place, _ in self._armed[0] if place not in before}
            if found:
                return found

    def follow(self, project: Project) -> None:
        """Go by what pyproject.toml says now."""
        self._project = project
        if self._places() != self._armed:
            self._arm()

    def stop(self) -> None:
        """Watch no longer."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    def _arm(self) -> None:
        self.stop()
        self._armed = self._places()
        deep, flat = ([place for place, _ in places] for places in self._armed)
        self._tasks = [asyncio.create_task(self._pump(flat, deep=False))]
        if deep:
            self._tasks.append(asyncio.create_task(self._pump(deep, deep=True)))

    async def _pump(self, paths: list[str], *, deep: bool) -> None:
        polling = False
        while True:
            try:
                await self._changes(paths, deep=deep, polling=polling)
            except FileNotFoundError:
                await asyncio.sleep(_STEP / 1000)  # it was moved just now; the other watch says so
                return
            except (OSError, RuntimeError) as error:
                if polling:
                    raise
                polling = True
                self._report.note(
                    f"The system cannot watch the files ({error}); they are looked at in turn.",
                    "Raise its limit, on Linux: sysctl fs.inotify.max_user_watches=524288.",
                )

    async def _changes(self, paths: list[str], *, deep: bool, polling: bool) -> None:
        from watchfiles import awatch

        saves = awatch(
            *paths,
            watch_filter=None,
            step=_STEP,
            recursive=deep,
            force_polling=polling or None,
            ignore_permission_denied=True,
        )
        async for changes in saves:
            self._queue.put_nowait({path for _, path in changes})

    def _places(self) -> list[list[Place]]:
        """Directories to watch with and without what is below them; the same name may be anew."""
        root, start = self._project.root, self._project.import_root
        tops = [path for path in top_modules(start) if path.is_dir()] if start.is_dir() else []
        deep = {*tops, *self._included()}
        flat = {root, start, *([self._env_file.parent] if self._env_file else [])}
        return [_identified(deep), _identified(flat)]

    def _included(self) -> Iterator[Path]:
        """The directories that the patterns of ``include`` begin with."""
        for pattern in config_of(self._project).build.include:
            fixed = []
            for part in PurePath(pattern).parts[:-1]:
                if set(part) & set("*?["):
                    break
                fixed.append(part)
            if fixed and ".." not in fixed and not PurePath(pattern).is_absolute():
                yield self._project.root.joinpath(*fixed)

    def _is_ours(self, path: Path) -> bool:
        root = self._project.root
        if path == self._env_file:
            return True
        if not path.is_relative_to(root) or path.is_dir():
            return False
        name = path.relative_to(root).as_posix()
        if path.parent == root and path.name in _PROJECT:
            return True
        build = config_of(self._project).build
        if _any(name, build.exclude):
            return False
        return self._is_code(path) or _any(name, build.include)

    def _is_code(self, path: Path) -> bool:
        if not path.is_relative_to(self._project.import_root):
            return False
        parts = path.relative_to(self._project.import_root).parts
        passing = (*NOT_SHIPPED, *_PASSING, *TESTS)
        if NOT_CODE & set(parts) or any(_any(part, passing) for part in parts):
            return False
        return len(parts) > 1 or path.suffix == ".py"

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self._project.root)


def _identified(paths: Iterable[Path]) -> list[Place]:
    found = []
    for path in sorted(paths):
        with contextlib.suppress(OSError):
            if path.is_dir():
                found.append((str(path), path.stat().st_ino))
    return found


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
