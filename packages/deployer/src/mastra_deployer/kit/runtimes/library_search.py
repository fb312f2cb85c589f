"""Find shared libraries as the dynamic loader of Linux does, without running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path

from mastra_deployer.kit.runtimes.elf_file import ElfFile, read_elf_file

__all__ = ("LibrarySearch",)

_CONFIGURATION = Path("/etc/ld.so.conf")
_DEFAULTS = ("lib64", "usr/lib64", "lib", "usr/lib")


class LibrarySearch:
    """The directories that a program searches for libraries.

    The directories of the system are searched only if the system has the program's loader, which
    shows that the program is for this kind of machine.

    :param executable: the program.
    :param program: the properties of the program.
    """

    def __init__(self, executable: Path, program: ElfFile) -> None:
        self._executable, self._program = executable, program
        self._own = [executable.parent.parent / name for name in ("lib", "lib64")]
        self._files: dict[Path, ElfFile | None] = {executable: program}
        loader = Path(program.loader)
        system = self._read(loader) if loader.is_file() else None
        self.has_system = system is not None and system.machine == program.machine
        self._system = list(_iter_system_directories(loader)) if self.has_system else []

    def find_all(
        self, files: Iterable[Path], names: Iterable[str]
    ) -> tuple[dict[str, Path], set[str]]:
        """Return all libraries that files need, by name, and the names of missing libraries.

        :param files: programs and libraries.
        :param names: the names of further libraries to find; if one is missing, it is left out.
        """
        found: dict[str, Path] = {}
        missing: set[str] = set()
        for name in names:
            if path := self._find(name, self._executable):
                found[name] = path
        queue = [*files, *found.values()]
        while queue:
            file = queue.pop()
            needed = self._read(file)
            for name in needed.needed if needed else ():
                if name in found or self._is_loader(name):
                    continue
                if path := self._find(name, file):
                    found[name] = path
                    queue.append(path)
                else:
                    missing.add(name)
        return found, missing

    def _is_loader(self, name: str) -> bool:
        return name == Path(self._program.loader).name

    def _find(self, name: str, file: Path) -> Path | None:
        for directory in self._iter_directories(file):
            path = directory / name
            library = self._read(path) if path.is_file() else None
            if library is not None and library.machine == self._program.machine:
                return path
        return None

    def _iter_directories(self, file: Path) -> Iterator[Path]:
        library = self._read(file)
        if library is not None:
            if not library.run_paths:
                yield from _expand(library.old_run_paths, file)
                yield from _expand(self._program.old_run_paths, self._executable)
            yield from _expand(library.run_paths, file)
        yield from self._system
        yield from self._own  # if the tree was moved, its run paths contain the old place

    def _read(self, path: Path) -> ElfFile | None:
        if path not in self._files:
            self._files[path] = read_elf_file(path)
        return self._files[path]


def _expand(run_paths: Iterable[str], file: Path) -> Iterator[Path]:
    for text in run_paths:
        origin = str(file.resolve().parent)
        yield Path(text.replace("$ORIGIN", origin).replace("${ORIGIN}", origin))


def _iter_system_directories(loader: Path) -> Iterator[Path]:
    yield from _iter_configured(_CONFIGURATION)
    yield loader.parent
    yield loader.resolve().parent
    yield from (Path("/") / name for name in _DEFAULTS)


def _iter_configured(file: Path) -> Iterator[Path]:
    """Yield the directories in a configuration of ``ldconfig`` and in included files."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        text = line.partition("#")[0].strip()
        if text.split()[:1] == ["include"]:
            pattern = file.parent / text.removeprefix("include").strip()
            for path in sorted(glob(str(pattern))):  # noqa: PTH207  # pathlib has no absolute patterns
                yield from _iter_configured(Path(path))
        elif text.startswith("/"):
            yield Path(text)
