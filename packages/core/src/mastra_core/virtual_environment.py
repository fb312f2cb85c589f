"""Give an app's child Python processes the packages of the bundle, and no others.

The launcher of a bundle changes only the import path of its own process. For child Python
processes, this module creates a virtual environment: a link to the interpreter, and the paths of
the bundle. The environment also works for a process that is started with other variables or with
``-I``. Child programs other than Python are not affected.

If a command has started the interpreter through a dynamic loader with libraries of its own, the
environment contains a shell script in place of the link to the interpreter. The shell script starts
the interpreter through the same loader. If the console scripts of a bundle have lost their
executable bits, the environment also contains scripts that run them.

Some wheels contain data files for the directories ``share`` and ``etc`` of an environment, for
example the extensions of Jupyter. The virtual environment contains links to these directories, and
is the ``sys.prefix`` of the server and of child Python processes.

A bundle may be read-only, and its path is known only at the start, so the process creates the
environment in a directory for temporary files. Processes that run the same bundle share the
environment, and the last process removes it. Each process locks the environment, because programs
that delete old temporary files skip locked directories.

A build contains this file as ``mastra_venv.py``. The file imports only the standard library.
"""

from __future__ import annotations

import atexit
import binascii
import contextlib
import importlib
import operator
import os
import site
import stat
import sys
import time
from collections.abc import Callable, Mapping, Sequence

__all__ = ("activate", "deactivate", "list_temporary_directories", "run_script")

_DIRECTORIES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # the owner is checked
# A module, because a .pth file of a virtual environment is read twice at each start.
_MODULE = """\
import site
import sys

sys.dont_write_bytecode = True
sys.pycache_prefix = None
sys.path[:0] = {first}
site.addsitedir({last})
"""
_LOADED = """\
#!/bin/sh
exec {loader} --library-path {libraries} --argv0 "$0" {python} "$@"
"""
_SCRIPT = """\
#!/bin/sh
exec {python} {script} "$@"
"""
_CONFIG = """\
home = {home}
include-system-site-packages = false
version = {version}
"""
_LINKS = (
    *("bin/python", "bin/python3"),
    f"bin/python{sys.version_info[0]}.{sys.version_info[1]}",
)
_DATA_DIRECTORIES = ("share", "etc")
_LOCK_TIMEOUT = 2.0  # seconds
_locks: dict[str, tuple[int, int]] = {}  # by environment: the descriptor, and the process's id


def activate(paths: Sequence[str], scripts: str) -> str:
    """Set ``sys.prefix``, and set ``sys.executable`` and ``PATH`` for all later child processes.

    :param paths: absolute directories for ``sys.path``, the dependencies last.
    :param scripts: the directory of the bundle's console scripts; may be missing.
    :returns: path of the environment; empty if no directory is writable. Without an environment,
        the variable ``PYTHONPATH`` is set instead.
    """
    root = _activate(paths, scripts)
    data = _find_data_directories(paths[-1])
    if root or data:
        sys.prefix = sys.exec_prefix = root or paths[-1]
    return root


def list_temporary_directories() -> list[str]:
    """Return the directories for temporary files, in the order in which they are tried.

    Unlike the directories of ``tempfile``, they include ``/dev/shm``, which is often the only
    writable one in a container, and exclude the working directory.
    """
    return [*filter(None, [os.environ.get("TMPDIR")]), *_DIRECTORIES]


def _activate(paths: Sequence[str], scripts: str) -> str:
    os.environ.pop("PYTHONPATH", None)
    root = _ensure_environment(paths, scripts)
    directories = [scripts, os.path.join(paths[-1], "bin")]
    if root:
        sys.executable = os.path.join(root, "bin", "python")
        directories.insert(0, os.path.join(root, "bin"))
    else:
        os.environ.update(PYTHONPATH=os.pathsep.join(paths), PYTHONNOUSERSITE="1")
    previous = os.environ.get("PATH", os.defpath).split(os.pathsep)
    added = [path for path in directories if os.path.isdir(path) and path not in previous]
    os.environ["PATH"] = os.pathsep.join(added + previous)
    return root


def deactivate() -> None:
    """Remove the environment, unless another process still uses it."""
    for root, (descriptor, process) in list(_locks.items()):
        if process == os.getpid():  # a fork shares the lock of its parent
            del _locks[root]
            with contextlib.suppress(OSError):
                _lock(descriptor, exclusive=True)
                _remove_tree(root)
            os.close(descriptor)


def run_script(paths: Sequence[str], scripts: str, reference: str) -> None:
    """Run a console script in the environment, and exit with its exit code.

    :param paths: the same argument as for ``activate``.
    :param scripts: the same argument as for ``activate``.
    :param reference: the entry point, ``module:attribute``.
    """
    root = _activate(paths, scripts)
    if not root:
        sys.path[:0] = paths[:-1]
        site.addsitedir(paths[-1])
    elif not _is_same_directory(sys.prefix, root):
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606  # no shell
    module, _, attribute = reference.partition(":")
    sys.exit(operator.attrgetter(attribute)(importlib.import_module(module))())


def _ensure_environment(paths: Sequence[str], scripts: str) -> str:
    """Return the path of a complete environment; empty if no directory is writable."""
    python = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable or "")
    if os.name != "posix" or not os.path.isfile(python):
        return ""
    files = _render_files(paths, python)
    if loader := _find_loader():
        files |= dict.fromkeys(_LINKS, _render_start(*loader, python))
    lost, data = _list_lost_scripts(scripts), _find_data_directories(paths[-1])
    key = binascii.crc32(repr((files, lost, data)).encode())
    name = f"mastra-venv-{os.geteuid()}-{key:08x}"
    own = [sys.prefix] if os.path.basename(sys.prefix) == name else []
    for root in (*own, *(os.path.join(path, name) for path in list_temporary_directories())):
        with contextlib.suppress(OSError):
            wrappers = {f"bin/{name}": _render_wrapper(root, scripts, name) for name in lost}
            _open_environment(root, {**files, **wrappers}, {_LINKS[0]: python, **data})
            return root
    return ""


def _find_data_directories(dependencies: str) -> dict[str, str]:
    """Return the directories with data files of wheels, by their names in an environment."""
    found = {name: os.path.join(dependencies, name) for name in _DATA_DIRECTORIES}
    return {name: path for name, path in found.items() if os.path.isdir(path)}


def _find_loader() -> tuple[str, str] | None:
    """Return the loader with which a command has started Python, and its library path.

    The result is ``None`` for a Python that the system has started.

    A command such as ``ld-linux.so --library-path PATH python`` starts the loader, and the loader
    starts Python. In such a process, ``/proc/self/exe`` is a link to the loader. In other
    processes, it is a link to Python.
    """
    try:
        loader = os.readlink("/proc/self/exe")
        with open("/proc/self/cmdline", encoding="utf-8", errors="surrogateescape") as file:
            arguments = file.read().split("\0")
    except OSError:
        return None
    option = "--library-path"
    if not os.path.basename(loader).startswith("ld-") or option not in arguments:
        return None
    return loader, arguments[arguments.index(option) + 1]


def _render_start(loader: str, libraries: str, python: str) -> str:
    return _LOADED.format(loader=_quote(loader), libraries=_quote(libraries), python=_quote(python))


def _render_wrapper(root: str, scripts: str, name: str) -> str:
    """Return a shell script that runs a console script without executable bits."""
    python, script = os.path.join(root, "bin", "python"), os.path.join(scripts, name)
    return _SCRIPT.format(python=_quote(python), script=_quote(script))


def _list_lost_scripts(scripts: str) -> list[str]:
    """Return the names of the console scripts that have lost their executable bits."""
    try:
        names = sorted(os.listdir(scripts))
    except OSError:
        return []
    return [name for name in names if not os.access(os.path.join(scripts, name), os.X_OK)]


def _quote(text: str) -> str:
    """Quote a text for a shell, without importing ``shlex``, because the import is slow."""
    return "'" + text.replace("'", "'\\''") + "'"


def _render_files(paths: Sequence[str], python: str) -> dict[str, str]:
    """Return the files of the environment: their names and texts."""
    threading = "t" if "t" in getattr(sys, "abiflags", "") else ""
    library = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}{threading}/site-packages"
    version = ".".join(map(str, sys.version_info[:3]))
    code = _MODULE.format(first=ascii(list(paths[:-1])), last=ascii(paths[-1]))
    return {
        "pyvenv.cfg": _CONFIG.format(home=os.path.dirname(python), version=version),
        f"{library}/mastra_paths.py": code,
        f"{library}/mastra_paths.pth": "import mastra_paths\n",
    }


def _open_environment(root: str, files: Mapping[str, str], targets: Mapping[str, str]) -> None:
    """Lock an environment until the process ends, and complete its files.

    :raises OSError: if the environment cannot be written, or belongs to another user.
    """
    if _locks.get(root, (0, 0))[1] == os.getpid():
        return
    descriptor = _create_locked(root)
    try:
        _write_environment(root, files, targets)
    except OSError:
        os.close(descriptor)
        raise
    if not _locks:
        atexit.register(deactivate)
    _locks[root] = descriptor, os.getpid()


def _create_locked(root: str) -> int:
    """Create a directory if it is missing, and return a descriptor for its lock."""
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(root, 0o755)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _check_owner(os.fstat(descriptor), root)
            _lock(descriptor, exclusive=False)
            if _is_same_directory(root, descriptor):  # else another process has just removed it
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _check_owner(status: os.stat_result, root: str) -> None:
    """Raise an error if another user created the directory or can write to it."""
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{root!r} belongs to another user")


def _lock(descriptor: int, *, exclusive: bool) -> None:
    """Take a lock on a directory; an exclusive lock fails if another process has any lock.

    A shared lock waits while another process removes the directory. It fails after a short time,
    because every user of the machine can lock the directory.
    """
    import fcntl

    operation = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + (0 if exclusive else _LOCK_TIMEOUT)
    while True:
        try:
            return fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.01)


def _is_same_directory(path: str, other: str | int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.stat(other))
    except FileNotFoundError:
        return False


def _write_environment(root: str, files: Mapping[str, str], targets: Mapping[str, str]) -> None:
    """Write missing and different files, each atomically, because several processes use them."""
    links = {**dict.fromkeys(_LINKS, "python"), **targets}
    links = {name: target for name, target in links.items() if name not in files}
    for name in (*files, *links):
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.join(root, *parts[:count]), 0o755)
    for name, text in files.items():
        _replace(os.path.join(root, name), text, _read_text, _write_text)
    for name, target in links.items():
        _replace(os.path.join(root, name), target, os.readlink, _create_link)


def _replace(
    path: str, content: str, read: Callable[[str], str], write: Callable[[str, str], None]
) -> None:
    with contextlib.suppress(OSError):
        if read(path) == content:
            return
    draft = f"{path}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)
    write(draft, content)
    os.replace(draft, path)


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write_text(path: str, text: str) -> None:
    mode = 0o755 if os.path.basename(os.path.dirname(path)) == "bin" else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _create_link(path: str, target: str) -> None:
    os.symlink(target, path)


def _remove_tree(root: str) -> None:
    for directory, folders, files in os.walk(root, topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in folders:
            path = os.path.join(directory, name)
            (os.unlink if os.path.islink(path) else os.rmdir)(path)
    os.rmdir(root)
