"""Watch the files of the app for saves."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from mastra_core.pipeline import Project, Report
from mastra_deployer.bundler.sources.first_party import (
    NOT_CODE,
    NOT_SHIPPED,
    TESTS,
    iter_top_modules,
)
from mastra_deployer.project.discovery import get_config
from mastra_deployer.project.environment import DEVELOPMENT_ENV_FILES
from mastra_deployer.project.workspace import find_workspace_root

__all__ = ("FileWatcher",)

_STEP = 50  # milliseconds without a save after which earlier saves count as one
_MAX_WATCHES = 8  # each one takes a thread
# Temporary files of editors: they are ignored everywhere.
_EDITORS = (
    *("*~", "*.swp", "*.swx", "*.swo", "#*#", ".#*", "4913", "*.tmp", "*.tmp.*", "*.bak", "*.orig"),
    *("*___jb_*", "*.rej", "*.vsctmp", ".goutputstream-*", "*.kate-swp", "*.sublime-*"),
)
# Files that programs write while they run: they are ignored unless `include` matches them.
_WRITTEN = (
    *("*.log", "*.pid", "*.sock", "*.lock", "*.db", "*.db-*", "*.sqlite*", "*-journal"),
    "*.wal",
)
_PROJECT = ("pyproject.toml", "uv.lock", "pylock.toml", "requirements.txt", *DEVELOPMENT_ENV_FILES)
DirectoryId = tuple[str, int]


class FileWatcher:
    """A watcher of first-party code, pyproject.toml, environment files and other files that ship.

    :param project: the project to watch.
    :param env_file: the env file of ``--env-file``.
    :param report: receives a note when the system cannot watch, and the files are polled.
    """

    def __init__(self, project: Project, env_file: Path | None, report: Report) -> None:
        self._project = project
        self._env_file = env_file.absolute() if env_file else None
        self._report = report
        self._queue: asyncio.Queue[set[str]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._workspace = find_workspace_root(project.root)
        self._editables: tuple[Path, ...] = ()
        self._watched: list[list[DirectoryId]] = [[], []]
        self._names: dict[Path, Path] = {}
        self._start()

    async def wait_for_changes(self) -> set[str]:
        """Wait for saves, and return the paths of the files relative to the project."""
        while True:
            paths = map(self._to_watched, await self._queue.get())
            found = {self._to_relative(path) for path in paths if self._is_relevant(path)}
            if self._list_directories() != self._watched:  # also if a package was replaced
                before = {path for path, _ in self._watched[0]}
                self._start()
                added = [path for path, _ in self._watched[0] if path not in before]
                found |= {self._to_relative(path) for path in added}
            if found:
                return found

    def update_project(self, project: Project, editables: tuple[Path, ...]) -> None:
        """Use the current configuration.

        :param project: the project as it is saved now.
        :param editables: import roots of packages that are installed as editable.
        """
        self._project, self._editables = project, editables
        if self._list_directories() != self._watched:
            self._start()

    def stop(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    def _start(self) -> None:
        """Watch all directories.

        If all directories that are watched already remain, only the new ones get a watch. A watch
        that is stopped loses the saves that it has not reported yet.
        """
        before, self._watched = self._watched, self._list_directories()
        pairs = list(zip(before, self._watched, strict=True))
        is_larger = all(set(old) <= set(new) for old, new in pairs)
        if not is_larger or len(self._tasks) >= _MAX_WATCHES:
            self.stop()
            before = [[], []]
        self._names = _map_links(path for directories in self._watched for path, _ in directories)
        for directories, old, deep in zip(self._watched, before, (True, False), strict=True):
            if added := [path for path, inode in directories if (path, inode) not in old]:
                self._tasks.append(asyncio.create_task(self._watch(added, deep=deep)))

    async def _watch(self, paths: list[str], *, deep: bool) -> None:
        polling = False
        while True:
            try:
                await self._queue_changes(paths, deep=deep, polling=polling)
            except FileNotFoundError:
                # The directory has been moved or deleted, which the other watch reports.
                await asyncio.sleep(_STEP / 1000)
                return
            except (OSError, RuntimeError) as error:
                if polling:
                    raise
                polling = True
                self._report.note(
                    f"The system cannot watch the files ({error}), so mastra polls them.",
                    "On Linux, raise the limit: sysctl fs.inotify.max_user_watches=524288.",
                )

    async def _queue_changes(self, paths: list[str], *, deep: bool, polling: bool) -> None:
        from watchfiles import Change, awatch

        saves = awatch(
            *paths,
            watch_filter=None,
            step=_STEP,
            recursive=deep,
            force_polling=polling or None,
            ignore_permission_denied=True,
        )
        async for changes in saves:
            created = {path for kind, path in changes if kind is Change.added}
            deleted = {path for kind, path in changes if kind is Change.deleted}
            temporary = _list_missing(created & deleted)  # an editor wrote them, to rename them
            self._queue.put_nowait({path for _, path in changes} - temporary)

    def _list_directories(self) -> list[list[DirectoryId]]:
        """Return the directories to watch with all their subdirectories, and those to watch alone.

        Each path comes with its inode, because a new directory may later get the same path.
        """
        starts = [self._project.import_root, *self._editables]
        tops = [
            path
            for start in starts
            if start.is_dir()
            for path in iter_top_modules(start)
            if path.is_dir()
        ]
        deep = {*tops, *self._iter_included()}
        files = [self._env_file.parent] if self._env_file else []
        flat = {self._project.root, self._workspace, *starts, *files}
        return [_add_inodes(deep), _add_inodes(flat)]

    def _iter_included(self) -> Iterator[Path]:
        """Yield the directories at the start of the ``include`` patterns."""
        for pattern in get_config(self._project).build.include:
            fixed = []
            for part in PurePath(pattern).parts[:-1]:
                if set(part) & set("*?["):
                    break
                fixed.append(part)
            if fixed and ".." not in fixed and not PurePath(pattern).is_absolute():
                yield self._project.root.joinpath(*fixed)

    def _is_relevant(self, path: Path) -> bool:
        root = self._project.root
        if path == self._env_file:
            return True
        if path.is_dir() or _matches_any(path.name, _EDITORS):
            return False
        if path.parent in (root, self._workspace) and path.name in _PROJECT:
            return True
        if any(self._is_code(path, start) for start in self._editables):
            return True
        if not path.is_relative_to(root):
            return False
        name = path.relative_to(root).as_posix()
        build = get_config(self._project).build
        if _matches_any(name, build.exclude):
            return False
        is_code = self._is_code(path, self._project.import_root)
        return is_code or _matches_any(name, build.include)

    def _is_code(self, path: Path, start: Path) -> bool:
        if not path.is_relative_to(start):
            return False
        parts = path.relative_to(start).parts
        ignored = (*NOT_SHIPPED, *_WRITTEN, *TESTS)
        if NOT_CODE & set(parts) or any(_matches_any(part, ignored) for part in parts):
            return False
        return len(parts) > 1 or path.suffix == ".py"

    def _to_watched(self, path: str) -> Path:
        """Convert a path with resolved links, as macOS reports it, to the path that is watched."""
        saved = Path(path)
        for real, watched in self._names.items():
            if saved.is_relative_to(real):
                return watched / saved.relative_to(real)
        return saved

    def _to_relative(self, path: str | Path) -> str:
        return os.path.relpath(path, self._project.root)


def _list_missing(paths: Iterable[str]) -> set[str]:
    return {path for path in paths if not Path(path).exists()}


def _map_links(paths: Iterable[str]) -> dict[Path, Path]:
    """Return the names of directories that are symbolic links, by their real paths."""
    real_paths = {Path(os.path.realpath(path)): Path(path) for path in sorted(paths, reverse=True)}
    return {real: path for real, path in real_paths.items() if real != path}


def _add_inodes(paths: Iterable[Path]) -> list[DirectoryId]:
    found = []
    for path in sorted(paths):
        with contextlib.suppress(OSError):
            if path.is_dir():
                found.append((str(path), path.stat().st_ino))
    return found


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
