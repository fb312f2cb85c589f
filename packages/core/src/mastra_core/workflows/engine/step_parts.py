"""Record the finished parts of a step, such as the model calls of an agent.

A step that a crash interrupts is executed again, but its recorded parts are not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.workflows.engine.outcome import Outcome
from mastra_core.workflows.engine.run_events import StepWrote

if TYPE_CHECKING:
    from mastra_core.workflows.engine.journal import Journal, PartJournal
    from mastra_core.workflows.engine.run_options import StepAddress

__all__ = ("StepParts", "drop_last_answers", "get_part_owner", "open_step_parts")

_ANSWER = "model:"  # the beginning of the names of a model's answers
_PART = re.compile(r"(.*?#\d+)/")


class StepParts:
    """The recorded parts of one call of a step, such as the calls of an agent.

    :param journal: the journal of the run.
    :param address: the address of the step.
    :param call_number: which call of the step this is, counted from 1. A retry of the step repeats
        all parts.
    """

    __slots__ = ("_journal", "_key", "_path")

    def __init__(self, journal: PartJournal, address: StepAddress, call_number: int) -> None:
        self._journal = journal
        self._path = address.path
        self._key = f"{address.key}#{call_number}/"

    def find(self, name: str) -> Outcome | None:
        """Return the recorded outcome of a part, or ``None``.

        :param name: the name of the part, unique in the step.
        """
        return self._journal.find(self._key + name)

    async def prepare(self, *, events: bool = False) -> None:
        """Store everything recorded so far; callers do this before a part begins.

        :param events: whether to store the recorded events in addition to the outcomes.
        """
        await self._journal.prepare(events=events)

    def record(self, name: str, value: Any) -> None:
        """Record the value of a finished part.

        :param name: the name of the part.
        :param value: JSON builtins.
        """
        self._journal.record(self._key + name, Outcome(value=value))

    async def write(self, chunk: Any, name: str = "") -> None:
        """Send a value to the readers of the run.

        :param chunk: JSON builtins.
        :param name: a repeated step sends a value with a name only once, but a value without a name
            again.
        """
        key = f"{self._key}{name}:wrote" if name else ""
        await self._journal.emit(key, StepWrote(step=self._path, chunk=chunk))

    def is_written(self, name: str) -> bool:
        """Return whether a value with this name was sent to the readers of the run.

        :param name: the name.
        """
        return self._journal.has_emitted(f"{self._key}{name}:wrote")


def open_step_parts(journal: Journal, address: StepAddress, call_number: int) -> StepParts | None:
    """Return the parts of a step call, or ``None`` if the journal does not outlive its process.

    :param journal: the journal of the run.
    :param address: the address of the step.
    :param call_number: which call of the step this is, counted from 1.
    """
    part_journal = journal.parts
    return None if part_journal is None else StepParts(part_journal, address, call_number)


def get_part_owner(key: str) -> str:
    """Return the key of the step call that a part belongs to; empty if ``key`` is not a part's key.

    :param key: the key of an outcome or an event.
    """
    found = _PART.match(key)
    return found[1] if found else ""


def drop_last_answers(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Drop the model answers that made a step fail, so that the model answers again.

    A restarted step would otherwise read the same invalid answer from the journal, and fail again.

    :param outcomes: the recorded outcomes by key, in the order in which they were recorded.
    """
    last = {get_part_owner(key): key for key in outcomes}
    dropped = {
        key
        for owner, key in last.items()
        if owner and owner not in outcomes and key[len(owner) + 1 :].startswith(_ANSWER)
    }
    return {key: outcome for key, outcome in outcomes.items() if key not in dropped}
