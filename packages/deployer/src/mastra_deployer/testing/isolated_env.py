"""Run code with other directories, users, host names, times and umasks, or without a network."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

__all__ = ("IsolatedEnvironment", "block_network", "isolate", "isolate_home", "read_files")

_AHEAD = 400 * 24 * 3600 + 3601  # seconds: another year, another hour


class IsolatedEnvironment:
    """Directories and names that are unique, so that a leak can be found.

    :param root: a directory that does not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.cwd, self.temporary = (root / name for name in ("home", "cwd", "tmp"))
        self.user = f"user-{root.name}-8c1f"
        self.host = f"host-{root.name}-8c1f"
        for path in (self.home, self.cwd, self.temporary):
            path.mkdir(parents=True)

    @property
    def names(self) -> Sequence[str]:
        """The texts that must not leak: the directory, the user name and the host name."""
        return (str(self.root), self.user, self.host)

    def list_files(self) -> list[str]:
        """Return all files below the root, with relative paths."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]


@contextlib.contextmanager
def isolate_home(home: Path) -> Iterator[None]:
    """Within the block, use an empty home directory, but keep caches and interpreters.

    With the empty directory, files in the author's home, such as a login for the platform, have no
    effect on tests.

    :param home: a directory that does not exist yet.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, path in _list_shared_directories().items():
            patch.setenv(name, str(path))
        home.mkdir(parents=True)
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(home / name.removeprefix("XDG_").lower()))
        yield


def _list_shared_directories() -> dict[str, Path]:
    """Return the directories that tests share with the user, by environment variable."""
    from mastra_deployer.files.directories import get_cache_directory

    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    defaults = {
        "MASTRA_CACHE_DIR": get_cache_directory("wheels").parent,
        "PYENV_ROOT": home / ".pyenv",
        "UV_CACHE_DIR": cache / "uv",
        "XDG_DATA_HOME": home / ".local" / "share",  # the interpreters of uv
    }
    return {name: path for name, path in defaults.items() if not os.environ.get(name)}


@contextlib.contextmanager
def isolate(environment: IsolatedEnvironment, **variables: str) -> Iterator[None]:
    """Within the block, change the directories, the user, the host name, the umask and the clock.

    :param environment: the directories, the user and the host name.
    :param variables: environment variables to set.
    """
    defaults = {
        "HOME": str(environment.home),
        "USER": environment.user,
        "LOGNAME": environment.user,
        "TMPDIR": str(environment.temporary),
        "HOSTNAME": environment.host,
        "TZ": "Pacific/Chatham",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**defaults, **variables}.items():
            patch.setenv(name, value)
        patch.setattr(socket, "gethostname", lambda: environment.host)
        patch.setattr(tempfile, "tempdir", None)
        patch.chdir(environment.cwd)
        _advance_clock(patch)
        before = os.umask(0o077)
        time.tzset()
        try:
            yield
        finally:
            os.umask(before)
    time.tzset()


def _advance_clock(patch: pytest.MonkeyPatch) -> None:
    """Advance the wall clock, but not the monotonic clock."""
    real, real_ns, local, utc = time.time, time.time_ns, time.localtime, time.gmtime
    real_date = dt.datetime

    class LaterDatetime(real_date, metaclass=_DatetimeType):  # type: ignore[misc, valid-type]  # a local base class
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return real_date.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> dt.datetime:
            return real_date.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)

    patch.setattr(dt, "datetime", LaterDatetime)
    patch.setattr(time, "time", lambda: real() + _AHEAD)
    patch.setattr(time, "time_ns", lambda: real_ns() + _AHEAD * 10**9)
    patch.setattr(time, "localtime", lambda moment=None: local(_get_time(moment)))
    patch.setattr(time, "gmtime", lambda moment=None: utc(_get_time(moment)))


class _DatetimeType(type):
    """Lets ``isinstance`` accept real datetimes for the class that replaces ``datetime``."""

    def __instancecheck__(cls, item: object) -> bool:
        return isinstance(item, cls.__mro__[1])


def _get_time(moment: float | None) -> float:
    return time.time() if moment is None else moment


@contextlib.contextmanager
def block_network() -> Iterator[list[str]]:
    """Within the block, let all connections fail, and yield the addresses that were tried."""
    attempts: list[str] = []

    def fail(*arguments: Any, **_: Any) -> NoReturn:
        attempts.append(repr(arguments[-1]))
        raise OSError("the test blocks all network connections")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, fail)
        patch.setattr(socket, "getaddrinfo", fail)
        patch.setattr(socket, "gethostbyname", fail)
        yield attempts


def read_files(directory: Path) -> dict[str, bytes]:
    """Return the content of every file below a directory, by relative path.

    :param directory: the directory to read, with all its subdirectories.
    """
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
