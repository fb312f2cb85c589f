"""The protocol of a journal, which stores the outcomes and events of a run.

A durable journal records the outcome of each call under a key. When the interpreter executes the
run again, the journal returns the recorded outcomes. No recorded call is repeated, and the run
continues where it stopped. Keys depend only on the workflow, and never on the order of concurrent
steps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import RunEvent

__all__ = ("Journal", "PartJournal", "build_idle_key", "split_idle_key")

_IDLE = "idle:"
_SEPARATOR = "?"  # ids of steps cannot contain it, and no wait is for a condition


class Journal(Protocol):
    """The journal of one execution of a run."""

    @property
    def run_id(self) -> str:
        """The id of the run."""

    @property
    def parts(self) -> PartJournal | None:
        """The journal that records parts of steps; ``None`` if the run ends with its process."""

    async def call_once(self, key: str, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return the outcome of ``key``; await ``call`` if there is none yet.

        :param key: the key of the call.
        :param call: a function that calls the user's function.
        """

    async def wait(self, key: str) -> object:
        """Wait for the data that resumes a suspended step, and return this data as JSON builtins.

        :param key: the key of the wait, which is the ``key`` of the ``StepSuspended`` event.
        """

    async def sleep(self, key: str, until: float) -> None:
        """Wait until a time.

        :param key: the key of the wait.
        :param until: the time in seconds since the epoch. The journal keeps the first time for each
            key, and ignores later times.
        """

    async def emit(self, key: str, event: RunEvent) -> None:
        """Record an event and send it to the run's readers, unless its key was emitted before.

        The key of a ``RunIdle`` comes from ``build_idle_key``. A ``RunIdle`` says that all parts of
        the run wait, so it is dropped if data for one of these waits has already arrived.

        :param key: the key of the event.
        :param event: the event.
        """


class PartJournal(Protocol):
    """A journal with one method that finds an outcome, and another method that records it."""

    def find(self, key: str) -> Outcome | None:
        """Return the outcome of ``key``, or ``None`` if there is none yet.

        :param key: the key of the part.
        """

    def has_emitted(self, key: str) -> bool:
        """Return whether an event was emitted.

        :param key: the key of the event.
        """

    async def prepare(self, *, events: bool = False) -> None:
        """Store all recorded outcomes, so that the user code called next can rely on them.

        :param events: whether to store the recorded events in addition to the outcomes.
        """

    def record(self, key: str, outcome: Outcome) -> None:
        """Record an outcome, which is stored in one transaction with the events before it.

        :param key: the key of the part.
        :param outcome: the outcome.
        """

    async def emit(self, key: str, event: RunEvent) -> None:
        """Record an event, unless an event with the same key exists.

        Events with an empty key may repeat.

        :param key: the key of the event.
        :param event: the event.
        """


def build_idle_key(waits: Iterable[str]) -> str:
    """Return the key of a ``RunIdle`` event.

    The key of a wait is used once in a run, so each ``RunIdle`` event of the run gets its own key.

    :param waits: the keys of all waits of the run.
    """
    return _IDLE + _SEPARATOR.join(sorted(waits))


def split_idle_key(key: str) -> list[str]:
    """Return the keys of the waits that the key of a ``RunIdle`` event contains.

    :param key: the key of the event.
    """
    return key.removeprefix(_IDLE).split(_SEPARATOR)
