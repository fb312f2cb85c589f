"""The latest tasks of this process."""

from __future__ import annotations

from litestar.datastructures import State

from mastra_core.limits.caller_cache import CallerCache
from mastra_core.limits.memory_limit import fit_to_memory
from mastra_core.limits.memory_size import estimate_size
from mastra_server.a2a.json_rpc import A2aError
from mastra_server.a2a.task import Task

__all__ = ("TaskStore", "get_task_store")

MAX_TASKS = 1000
MAX_BYTES = fit_to_memory(64 * 1024 * 1024)
MAX_AGE = 24 * 3600.0  # seconds
_NOT_FOUND = -32001

_Key = tuple[str, str, str]  # agent, owner, task


class TaskStore:
    """The latest tasks of all callers in this process, limited in number, age and bytes."""

    def __init__(self) -> None:
        self._tasks: CallerCache[_Key, Task] = CallerCache(MAX_TASKS, MAX_BYTES, MAX_AGE)

    def put(self, task: Task, caller: str) -> None:
        """Store a new or changed task, and count its present size.

        :param task: the task.
        :param caller: the caller whose limits apply to the task.
        """
        self._tasks.put(_get_key(task), task, caller, estimate_size(task.build()))

    def get(self, agent_id: str, owner: str, task_id: str) -> Task:
        """Return a task.

        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        :param task_id: the id of the task.
        :raises A2aError: when this agent and owner have no such task.
        """
        task = self._tasks.get((agent_id, owner, task_id))
        if task is None:
            raise A2aError(_NOT_FOUND, f"Task not found: {task_id}")
        task.settle()
        return task

    def list(self, agent_id: str, owner: str) -> list[Task]:
        """Return the tasks of an agent, the oldest first.

        :param agent_id: the id of the agent.
        :param owner: the resource that the caller is restricted to; empty without a restriction.
        """
        found = [task for task in self._tasks if (task.agent_id, task.owner) == (agent_id, owner)]
        for task in found:
            task.settle()
        return found


def _get_key(task: Task) -> _Key:
    return task.agent_id, task.owner, task.id


def get_task_store(state: State) -> TaskStore:
    """Return the task store of an application; the first call of A2A creates it.

    :param state: the state of the application.
    """
    if "a2a_tasks" not in state:
        state.a2a_tasks = TaskStore()
    store: TaskStore = state.a2a_tasks
    return store
