"""The journal of a durable run of an agent: its finished model calls and tool calls."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ("RunJournal",)


class Parts(Protocol):
    """Records the outcome of each part of a workflow step, so that no part is executed twice."""

    def find(self, name: str) -> Any:
        """Return the recorded outcome of a part, or ``None``.

        :param name: the name of the part.
        """

    async def prepare(self, *, events: bool = False) -> None:
        """Store everything recorded so far; callers do this before a part begins.

        :param events: whether to also store the events so far.
        """

    def record(self, name: str, value: Any) -> None:
        """Record the value of a finished part.

        :param name: the name of the part.
        :param value: JSON builtins.
        """


class RunJournal:
    """Records the finished calls of one run, so that another process does not repeat them.

    An answer of the model is recorded under the number of its request. A process that repeats the
    run uses the recorded answers and results, so its requests have the same numbers.

    :param parts: the recorded parts of the step that runs the agent.
    :param live: whether the answers of the model are streamed.
    :param is_repeated: whether an earlier process has begun the run. ``is_repeated`` becomes false
        when the model answers in this process for the first time.
    :param prefix: the beginning of the names of all records, for an agent that is called as a tool.
    :ivar turn: the number of requests to the model so far.
    :ivar is_replaying: whether the events of the current turn come from a recorded answer.
    """

    def __init__(
        self, parts: Parts, *, live: bool = True, is_repeated: bool = False, prefix: str = ""
    ) -> None:
        self.live = live
        self.is_repeated = is_repeated
        self.turn = 0
        self.is_replaying = False
        self._parts = parts
        self._prefix = prefix

    def begin_turn(self) -> bool:
        """Count a request to the model, and return whether its answer is recorded."""
        self.turn += 1
        self.is_replaying = self.find(self.answer_name) is not None
        return self.is_replaying

    @property
    def answer_name(self) -> str:
        """The name under which the answer of the current turn is recorded."""
        return f"model:{self.turn}"

    def find(self, name: str) -> Any:
        """Return the recorded value of a call, or ``None``.

        :param name: the name of the call.
        """
        outcome = self._parts.find(self._prefix + name)
        return None if outcome is None else outcome.value

    async def prepare(self, *, events: bool = False) -> None:
        """Store everything recorded so far; callers do this before a call begins.

        :param events: whether to also store the events so far.
        """
        await self._parts.prepare(events=events)

    def record(self, name: str, value: Any) -> None:
        """Record a finished call.

        :param name: the name of the call.
        :param value: JSON builtins, but not ``None``.
        """
        self._parts.record(self._prefix + name, value)

    def create_nested(self, name: str) -> RunJournal:
        """Return the journal of an agent that a tool of this run calls.

        :param name: the name of the tool call.
        """
        return RunJournal(
            self._parts,
            live=self.live,
            is_repeated=self.is_repeated,
            prefix=f"{self._prefix}{name}/",
        )
