"""Another place to work in: directories, home, names, time and umask differ."""

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

__all__ = ("Place", "contents", "elsewhere", "offline")

_AHEAD = 400 * 24 * 3600 + 3601  # seconds: another year, another hour


class Place:
    """Directories and names that nothing else has, so that they are found wherever they end up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.cwd, self.temporary = (root / name for name in ("home", "cwd", "tmp"))
        self.user = f"user-{root.name}-8c1f"
        self.host = f"host-{root.name}-8c1f"
        for path in (self.home, self.cwd, self.temporary):
            path.mkdir(parents=True)

    @property
    def names(self) -> Sequence[str]:
        """What tells of this place."""
        return (str(self.root), self.user, self.host)

    def left(self) -> list[str]:
        """Files that somebody left here."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]


@contextlib.contextmanager
def elsewhere(place: Place, **environment: str) -> Iterator[None]:
    """Within it the process seems to be in another place, and later.

    :param environment: variables that are set there.
    """
    named = {"HOME": str(place.home), "USER": place.user, "LOGNAME": place.user}
    moved = {"TMPDIR": str(place.temporary), "HOSTNAME": place.host, "TZ": "Pacific/Chatham"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**named, **moved, **environment}.items():
            patch.setenv(name, value)
        patch.setattr(socket, "gethostname", lambda: place.host)
        patch.setattr(tempfile, "tempdir", None)
        patch.chdir(place.cwd)
        _later(patch)
        before = os.umask(0o077)
        time.tzset()
        try:
            yield
        finally:
            os.umask(before)
    time.tzset()


def _later(patch: pytest.MonkeyPatch) -> None:
    """Move the wall clock; the one that measures stays as it is."""
    real, real_ns, local, utc = time.time, time.time_ns, time.localtime, time.gmtime
    real_date = dt.datetime

    class Later(real_date, metaclass=_Looks):  # type: ignore[misc, valid-type]  # made from what is there
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return real_date.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> dt.datetime:
            return real_date.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)

    patch.setattr(dt, "datetime", Later)
    patch.setattr(time, "time", lambda: real() + _AHEAD)
    patch.setattr(time, "time_ns", lambda: real_ns() + _AHEAD * 10**9)
    patch.setattr(time, "localtime", lambda moment=None: local(_moment(moment)))
    patch.setattr(time, "gmtime", lambda moment=None: utc(_moment(moment)))


class _Looks(type):
    """Real dates count as those of the class that stands in for theirs."""

    def __instancecheck__(cls, item: object) -> bool:
        return isinstance(item, cls.__mro__[1])


def _moment(moment: float | None) -> float:
    return time.time() if moment is None else moment


@contextlib.contextmanager
def offline() -> Iterator[list[str]]:
    """Within it no address can be reached; gives what was tried."""
    tried: list[str] = []

    def refuse(*arguments: Any, **_: Any) -> NoReturn:
        tried.append(repr(arguments[-1]))
        raise OSError("there is no network here")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(socket, "gethostbyname", refuse)
        yield tried


def contents(directory: Path) -> dict[str, bytes]:
    """Every file in it."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
