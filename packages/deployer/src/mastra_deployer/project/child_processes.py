"""Run child processes in threads, and end the processes and the threads on Ctrl-C or a signal.

A signal interrupts only the main thread, and Python waits for the other threads before it ends.
Without this module, the command would end only after all steps that the threads have begun.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mastra_deployer.project.termination import INTERRUPTS

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ("child_process", "interruptible_pool", "raise_if_interrupted")

_End = Callable[["subprocess.Popen[Any]"], None]


@dataclasses.dataclass
class _Children:
    """The running child processes, each with the function that ends it."""

    processes: dict[subprocess.Popen[Any], _End] = dataclasses.field(default_factory=dict)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    is_interrupted: bool = False

    def end(self) -> None:
        """End all processes, and prevent the start of others."""
        with self.lock:
            self.is_interrupted = True
            for process, end in self.processes.items():
                end(process)


_CHILDREN = _Children()


@contextlib.contextmanager
def interruptible_pool(size: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; if an interrupt ends the block, end their child processes.

    :param size: the number of threads.
    """
    from concurrent.futures import ThreadPoolExecutor  # a build without changes needs no threads

    try:
        with ThreadPoolExecutor(size) as pool:
            try:
                yield pool
            except INTERRUPTS:
                pool.shutdown(wait=False, cancel_futures=True)
                _CHILDREN.end()
                raise
    finally:
        _CHILDREN.is_interrupted = False


def raise_if_interrupted() -> None:
    """Raise an error if an interrupt has ended the block of ``interruptible_pool``.

    :raises KeyboardInterrupt: in any thread; Python itself raises it only in the main thread.
    """
    if _CHILDREN.is_interrupted:
        raise KeyboardInterrupt


@contextlib.contextmanager
def child_process(
    command: Sequence[str], *, end: _End = subprocess.Popen.kill, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Start a process, and wait at the end of the block until the process ends.

    :param command: the path of the program, and its arguments.
    :param end: ends the process on an interrupt, or on an error in the block.
    :param options: the options of ``subprocess.Popen``.
    :raises KeyboardInterrupt: after an interrupt, as ``raise_if_interrupted`` does.
    """
    with _CHILDREN.lock:
        raise_if_interrupted()
        process = subprocess.Popen(command, **options)
        _CHILDREN.processes[process] = end
    try:
        with process:
            try:
                yield process
            except BaseException:
                end(process)
                raise
    finally:
        with _CHILDREN.lock:
            del _CHILDREN.processes[process]
    raise_if_interrupted()
