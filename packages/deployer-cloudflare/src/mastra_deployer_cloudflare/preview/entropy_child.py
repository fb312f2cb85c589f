"""Refuse randomness while the Worker is imported, as Cloudflare's runtime does.

The runner makes this file the module ``_cloudflare.allow_entropy`` in Pyodide.
"""

from __future__ import annotations

import contextlib
import os
import random
from array import array
from collections.abc import Callable, Iterator
from typing import Any

_MESSAGE = (
    "Randomness is not allowed while a Worker is starting, because all of its instances would "
    "get the same values."
)
_EIO = 29


# The number of calls that are allowed; -1 for any number. For compiled code, the runner lowers it.
_allowed = array("b", [0])


def get_address() -> int:
    """Return the memory address of the counter of allowed calls."""
    return _allowed.buffer_info()[0]


@contextlib.contextmanager
def allow_bad_entropy_calls(count: int) -> Iterator[None]:
    """Allow exactly ``count`` calls for randomness in the block.

    :param count: number of calls; -1 for any number.
    :raises RuntimeError: when the code in the block makes fewer calls than ``count``.
    """
    before, _allowed[0] = _allowed[0], count
    try:
        yield
    finally:
        rest, _allowed[0] = _allowed[0], before
    if rest > 0:
        raise RuntimeError(f"{rest} unexpected leftover getentropy calls")


def refuse_entropy() -> None:
    """Refuse randomness from now on, until ``restore_entropy``."""
    original, seed = os.urandom, random.Random.seed

    def urandom(size: int) -> bytes:
        if not _allowed[0]:
            raise OSError(_EIO, _MESSAGE)
        return original(size)  # the runner counts the call

    def seed_generator(self: random.Random, value: Any = None, version: int = 2) -> None:
        if value is None and not _allowed[0]:
            raise OSError(_EIO, _MESSAGE)
        seed(self, value, version)

    os.urandom = urandom
    vars(random)["_urandom"] = urandom  # secrets and SystemRandom use this name
    random.Random.seed = seed_generator  # type: ignore[method-assign, assignment]  # typed as Any
    blocked = _block_module_functions()

    def restore() -> None:
        _allowed[0] = -1
        os.urandom = original
        vars(random)["_urandom"] = original
        random.Random.seed = seed  # type: ignore[method-assign]  # undone later
        for name, function in blocked.items():
            setattr(random, name, function)
        random.seed()

    _RESTORE.append(restore)


def restore_entropy() -> None:
    """Allow randomness again, as Cloudflare does from the first request on."""
    for restore in _RESTORE:
        restore()
    _RESTORE.clear()


_RESTORE: list[Callable[[], None]] = []


def _block_module_functions() -> dict[str, Any]:
    """Replace the functions of ``random`` that use its shared generator, and return them."""
    shared = getattr(random.random, "__self__", None)
    names = [
        name
        for name, value in vars(random).items()
        if getattr(value, "__self__", None) is shared and name not in ("seed", "getstate")
    ]
    blocked = {name: getattr(random, name) for name in names}
    for name in names:
        setattr(random, name, _make_refusal(name))
    return blocked


def _make_refusal(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"Cannot use random.{name}() outside of request context")

    return refuse
