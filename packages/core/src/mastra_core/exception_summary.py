"""Summarize an exception for a log that people read, by the lines of the user's code."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

__all__ = ("summarize_exception",)

_INSTALLED = ("site-packages", "dist-packages")
_MAX_MESSAGE = 300  # characters; a provider's response may be a whole page
_MAX_FRAMES = 5
# The directories of dependencies: that of this package, also in a bundle, and the standard library.
_OTHERS = (
    Path(__file__).resolve().parent.parent,
    Path(sysconfig.get_path("stdlib")).resolve(),
    Path(sysconfig.get_path("platstdlib")).resolve(),
)


def summarize_exception(error: BaseException) -> tuple[str, tuple[str, ...]]:
    """Return one line for an exception, and the frames of the user's code that led to it.

    The line contains the innermost frame; the other frames are in the tuple, innermost first.
    Frames of the framework and of other packages are left out.

    :param error: the exception.
    """
    chain = list(_iter_chain(error))
    frames = [frame for each in reversed(chain) for frame in _iter_own_frames(each)]
    frames = list(dict.fromkeys(frames))[:_MAX_FRAMES]
    where = f" ({frames[0]})" if frames else ""
    cause = "" if chain[-1] is chain[0] else f", caused by {_format_error(chain[-1])}"
    return f"{_format_error(chain[0])}{cause}{where}", tuple(frames[1:])


def _iter_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes; for a group, use its first exception."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if isinstance(each, BaseExceptionGroup):
            each = each.exceptions[0]
            continue
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _format_error(error: BaseException) -> str:
    message = " ".join(str(error).split())
    if len(message) > _MAX_MESSAGE:
        message = f"{message[:_MAX_MESSAGE]}..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _iter_own_frames(error: BaseException) -> Iterator[str]:
    """Yield the frames of a traceback that are in the user's code, innermost first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename):
            yield f"{_shorten(frame.filename)}:{frame.lineno} in {frame.name}"


def _is_own(file: str) -> bool:
    if file.startswith("<"):  # compiled by exec, or frozen into the interpreter
        return False
    path = Path(file).resolve()
    if any(part in _INSTALLED for part in path.parts):
        return False
    return not any(path.is_relative_to(other) for other in _OTHERS)


def _shorten(file: str) -> str:
    """Make a path relative to the working directory, if the path is below it."""
    try:
        return str(Path(file).resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return file
