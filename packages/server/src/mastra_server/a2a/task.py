"""A task: one run of an agent, with its messages, its artifacts and its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mastra_core.random_id import generate_id
from mastra_core.request_scope import Signal
from mastra_core.storage.records import now
from mastra_server.agents.live_run import LiveRun
from mastra_server.http.dates import format_iso

__all__ = ("Task", "build_message")

_ACTIVE = ("submitted", "working")
_FINAL = ("completed", "failed", "canceled")


class Task:
    """A task of an agent; a run changes the task, and any number of readers wait for changes.

    :param agent_id: the id of the agent.
    :param owner: the resource that the caller is restricted to; empty without a restriction.
    :param context_id: the id of the conversation, which is a thread of the memory.
    :param resource: the owner of the thread.
    :param metadata: the metadata of the request.
    """

    def __init__(
        self, agent_id: str, owner: str, context_id: str, resource: str, metadata: dict[str, Any]
    ) -> None:
        self.id = generate_id()
        self.agent_id = agent_id
        self.owner = owner
        self.context_id = context_id
        self.resource = resource
        self.metadata = {**metadata, "resourceId": resource}
        self.history: list[dict[str, Any]] = []
        self.state = "submitted"
        self.changed_at = now()
        self.run: LiveRun | None = None
        self.waiting_call = ""  # the id of the tool call that waits for a decision or data
        self.error = ""
        self._status_message: dict[str, Any] | None = None
        self.is_streamed = False
        self._pieces: list[str] = []  # the text of the run
        self._object: Any = None
        self.readers: set[Signal] = set()  # each change wakes them

    @property
    def is_active(self) -> bool:
        """Whether the run of the task is still active."""
        return self.state in _ACTIVE

    @property
    def is_final(self) -> bool:
        """Whether the task can never continue."""
        return self.state in _FINAL

    @property
    def has_object(self) -> bool:
        """Whether the task has a structured answer."""
        return self._object is not None

    @property
    def piece_count(self) -> int:
        """The number of pieces of the answer so far."""
        return len(self._pieces)

    def start(self, message: dict[str, Any], *, is_streamed: bool) -> None:
        """Begin a run with a message; discard the artifacts of the task's earlier runs.

        :param message: the message, in the form of version 0.3.
        :param is_streamed: whether text and data become separate artifacts.
        """
        self.history.append(message)
        self.waiting_call = self.error = ""
        self.is_streamed = is_streamed
        self._pieces = []
        self._object = None
        self.set_state("working", build_message("Generating response..."))

    def set_state(self, state: str, message: dict[str, Any] | None = None) -> None:
        """Change the state, and wake the readers.

        :param state: the state, in the form of version 0.3.
        :param message: the message of the status, if there is one.
        """
        self.state = state
        self._status_message = message
        self.changed_at = now()
        self._wake_readers()

    def add_text(self, text: str) -> None:
        """Add a piece of the answer.

        :param text: the text.
        """
        if text:
            self._pieces.append(text)
            self._wake_readers()

    def drop_text(self) -> None:
        """Drop the text of a turn that is not the last, unless a stream has sent the text."""
        if not self.is_streamed:
            self._pieces = []

    def set_object(self, value: Any) -> None:
        """Set the structured answer.

        :param value: the answer.
        """
        self._object = value

    def settle(self) -> None:
        """End a task whose run has ended without a result, such as a run that was cancelled."""
        if self.is_active and (self.run is None or not self.run.is_running):
            self.set_state("canceled", build_message("The run of the task was stopped."))

    def build(
        self, history_length: int | None = None, *, has_artifacts: bool = True
    ) -> dict[str, Any]:
        """Build the task of a response.

        :param history_length: the number of messages to include; by default all.
        :param has_artifacts: whether to include the artifacts.
        """
        history = self.history
        if history_length is not None:
            history = history[-history_length:] if history_length else []
        artifacts = {"artifacts": [*self.iter_artifacts()]} if has_artifacts else {}
        return {
            "kind": "task",
            "id": self.id,
            "contextId": self.context_id,
            "status": self.build_status(),
            **artifacts,
            "history": list(history),
            "metadata": dict(self.metadata),
        }

    def build_status(self) -> dict[str, Any]:
        """Build the status of a response."""
        status: dict[str, Any] = {"state": self.state, "timestamp": format_iso(self.changed_at)}
        return {**status, "message": self._status_message} if self._status_message else status

    def iter_artifacts(self) -> Iterator[dict[str, Any]]:
        """Yield the artifacts; a task that is not streamed has none before its end."""
        if self.is_streamed:
            if self._pieces:
                yield self.build_text_artifact(0, self.piece_count)
            if self.has_object:
                yield self.build_object_artifact()
        elif not self.is_active and (self._pieces or self.has_object):
            yield self._build_whole_artifact()

    def _build_whole_artifact(self) -> dict[str, Any]:
        texts = [{"kind": "text", "text": "".join(self._pieces)}] if self._pieces else []
        objects = [self._build_object_part()] if self.has_object else []
        return {
            "artifactId": f"{self.id}:response",
            "name": "response.json" if objects else "response.txt",
            "parts": [*texts, *objects],
        }

    def build_text_artifact(self, start: int, end: int) -> dict[str, Any]:
        """Build an artifact from pieces of the answer.

        :param start: the index of the first piece.
        :param end: the index after the last piece.
        """
        text = "".join(self._pieces[start:end])
        return {
            "artifactId": f"{self.id}:response:text",
            "name": "response.txt",
            "parts": [{"kind": "text", "text": text}],
        }

    def build_object_artifact(self) -> dict[str, Any]:
        """Build an artifact from the structured answer."""
        return {
            "artifactId": f"{self.id}:response:data",
            "name": "response.json",
            "parts": [self._build_object_part()],
        }

    def _build_object_part(self) -> dict[str, Any]:
        """Build a data part; wrap a value that is not an object, as the protocol requires."""
        is_object = isinstance(self._object, dict)
        return {"kind": "data", "data": self._object if is_object else {"value": self._object}}

    def _wake_readers(self) -> None:
        for signal in self.readers:
            signal.set()


def build_message(text: str, **fields: Any) -> dict[str, Any]:
    """Build a message of the agent about its task.

    :param text: the text.
    :param fields: further fields.
    """
    return {
        "kind": "message",
        "messageId": generate_id(),
        "role": "agent",
        "parts": [{"kind": "text", "text": text}],
        **fields,
    }
