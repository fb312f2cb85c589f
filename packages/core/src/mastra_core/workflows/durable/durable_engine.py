"""The engine that keeps its runs in a database. Any of several processes can continue a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mastra_core.agents.suspended_runs import build_ambiguity
from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_count, check_seconds
from mastra_core.errors import ConfigError, Conflict, InvalidInput, NotFound, UnreadableData
from mastra_core.freezing import freezes_between_requests
from mastra_core.logger import get_logger
from mastra_core.override import override
from mastra_core.random_id import generate_id
from mastra_core.request_scope import is_request_scoped
from mastra_core.schema import dump
from mastra_core.telemetry import save_context
from mastra_core.workflows.durable.dispatcher import Dispatcher, DispatcherSettings
from mastra_core.workflows.durable.dispatcher_provider import DispatcherProvider
from mastra_core.workflows.durable.durable_run import DurableRun, build_listed_record
from mastra_core.workflows.durable.execution import ExecutionLimits, build_full_error
from mastra_core.workflows.durable.fingerprints.known_workflows import KnownWorkflows
from mastra_core.workflows.durable.restart_plan import plan_restart
from mastra_core.workflows.durable.run_context import (
    build_context,
    encode_context,
    replace_context,
)
from mastra_core.workflows.durable.run_load import RunLoad
from mastra_core.workflows.durable.schedules.scheduler import refuse_scheduled_id
from mastra_core.workflows.durable.store.run_rows import (
    ExecutionSettings,
    NewRun,
    RunRow,
    encode,
)
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.durable.store.run_store_factory import as_run_store
from mastra_core.workflows.engine.protocol import Engine, Run
from mastra_core.workflows.engine.run_checks import (
    build_initial_state,
    check_resume_data,
    check_start_options,
    check_texts,
    read_input_data,
    require_rested,
)
from mastra_core.workflows.engine.run_events import (
    RunEvent,
    RunFinished,
    RunStarted,
    StepResumed,
    get_timestamp_ms,
)
from mastra_core.workflows.engine.run_options import UNSET
from mastra_core.workflows.engine.run_query import RunCursor, RunPage, RunQuery
from mastra_core.workflows.engine.time_travel import (
    build_rewind_event,
    build_start_point,
)
from mastra_core.workflows.model.workflow import Workflow

if TYPE_CHECKING:
    from mastra_core.workflows.durable.run_management import RunManager
    from mastra_core.workflows.durable.schedules.schedule_manager import ScheduleManager

__all__ = ("DurableEngine",)

_MONTH = 30 * 24 * 3600
_TRIES = 20  # how often a change is tried, because another process may be faster


class DurableEngine(Engine):
    """Stores runs in a database, and executes them in the processes that use the database.

    A method that starts or continues a run returns when the database has stored the change. If
    several callers resume the same step, only one of them succeeds. If another process executes a
    run that is canceled, that process stops the steps within a second.

    :param store: the store, or the URL of a database: ``sqlite:///runs.db``,
        ``postgresql://user:password@host/name``, or ``d1:DB`` for the D1 binding ``DB`` of a
        Cloudflare Worker; by default the database that ``MASTRA_DATABASE_URL`` names, or else the
        file ``mastra.db``.
    :param name: the name of this process, for its logs; host name and process id by default.
    :param max_concurrency: the maximum number of runs that this process executes at a time. Further
        runs wait in the database until a process is free.
    :param lease: the seconds after which a process that does not report counts as dead. Other
        processes continue the runs of a dead process. On Cloudflare Workers, each request counts as
        a process.
    :param max_events: the maximum number of events of one run. A run with an endless loop fails
        when it reaches ``max_events``.
    :param max_takeovers: how many processes in sequence may die while they execute a run and record
        no outcome; the death of one more process makes the run fail.
    :param release_after: if a run sleeps for more seconds than this, the process removes the run
        from its memory.
    :param max_age: the seconds for which a finished run is kept.
    :param max_unfinished: the maximum number of unfinished runs of each caller of the server.
    :param context_keys: the keys of the request context that are stored; all by default. Values
        that JSON cannot contain are never stored.
    :raises ConfigError: for an invalid URL or number, or an argument of the wrong type.
    """

    def __init__(
        self,
        store: RunStore | str | None = None,
        *,
        name: str = "",
        max_concurrency: int = 100,
        lease: float = 5,
        max_events: int = 100_000,
        max_takeovers: int = 20,
        release_after: float = 10,
        max_age: float = _MONTH,
        max_unfinished: int = 10_000,
        context_keys: Collection[str] | None = None,
    ) -> None:
        check_seconds(f"lease={lease!r}", lease)
        check_seconds(f"release_after={release_after!r}", release_after, allows_zero=True)
        check_seconds(f"max_age={max_age!r}", max_age, allows_zero=True)
        check_count("max_concurrency", max_concurrency, least=0)
        check_count("max_takeovers", max_takeovers, least=0)
        check_count("max_events", max_events, least=1)
        check_count("max_unfinished", max_unfinished, least=1)
        check_types(locals(), DurableEngine.__init__.__annotations__)
        self._store = as_run_store(store)
        self._database = "variable" if store is None else getattr(self._store, "kind", "other")
        limits = ExecutionLimits(
            max_events=max_events,
            max_takeovers=max_takeovers,
            release_after=release_after,
            max_unfinished=max_unfinished,
        )
        settings = DispatcherSettings(
            name=name, max_concurrency=max_concurrency, lease=lease, max_age=max_age, limits=limits
        )
        self._context_keys, self._max_unfinished = context_keys, max_unfinished
        self._workflows = KnownWorkflows(self._store)
        self._dispatchers = DispatcherProvider(self._store, settings, self._workflows)
        self._is_open = False

    @property
    def durable_engine(self) -> DurableEngine:
        """The engine that stores runs in a database."""
        return self

    @property
    def database(self) -> str:
        """The kind of the database: ``sqlite``, ``postgresql``, ``d1`` or ``other``.

        The value is ``variable`` if ``MASTRA_DATABASE_URL`` names the database.
        """
        return self._database

    @property
    def schedules(self) -> ScheduleManager:
        """The schedules of the workflows."""
        from mastra_core.workflows.durable.schedules.schedule_manager import ScheduleManager

        return ScheduleManager(self, self._store, self._workflows.current, self._dispatchers.get)

    @property
    @override
    def single_process(self) -> bool:
        return self._store.single_process

    @property
    def load(self) -> RunLoad | None:
        """The number of runs that wait for a process, as measured a few seconds ago.

        The value is ``None`` on platforms that run no code between requests.
        """
        if is_request_scoped() or freezes_between_requests():
            return None
        dispatcher = self._dispatchers.present
        return RunLoad() if dispatcher is None else dispatcher.monitor.load

    async def check(self) -> None:
        """Check that the database answers, unless it has answered in the last few seconds.

        The method checks nothing if the store has no method ``check``.

        :raises StorageError: when the database cannot be used.
        """
        if (check := getattr(self._store, "check", None)) is not None:
            await check()

    async def manage(self) -> RunManager:
        """Return the manager of the stored runs of all workflows.

        :raises StorageError: when the database cannot be used.
        """
        from mastra_core.workflows.durable.run_management import RunManager

        await self.open(())
        return RunManager(self._store, self._context_keys, self._workflows.fingerprints)

    async def look_soon(self) -> None:
        """Look for due runs; called after another part of the application has changed runs."""
        (await self._dispatchers.get()).look_soon()

    @override
    async def open(self, workflows: Iterable[Workflow]) -> None:
        """Connect to the database, and continue the waiting runs of the given workflows.

        :param workflows: the workflows.
        :raises ConfigError: when the database is D1, and a workflow has a schedule or child runs;
            or when two workflows have a schedule with the same id.
        :raises StorageError: when the database cannot be used.
        """
        for workflow in workflows:
            if self._database == "d1":
                _refuse_on_d1(workflow)
            self._workflows.add(workflow)
        if is_request_scoped():  # each request has a dispatcher of its own
            await self._open_for_requests()
            return
        dispatcher = await self._dispatchers.get()
        if not self._workflows.is_stored:
            await dispatcher.announce()

    async def _open_for_requests(self) -> None:
        if not self._is_open:
            await self._store.open()
            self._is_open = True
        if not self._workflows.is_stored:
            await self._workflows.store_descriptions()

    @override
    async def create(
        self,
        workflow: Workflow,
        run_id: str = "",
        resource_id: str = "",
        *,
        caller: str = "",
        thread: str = "",
        is_confined: bool = False,
    ) -> Run:
        check_texts(run_id=run_id, resource_id=resource_id, caller=caller, thread=thread)
        if caller:
            refuse_scheduled_id(workflow, run_id)
        await self.open([workflow])
        dispatcher = await self._dispatchers.get()
        new = NewRun(
            workflow=workflow.id,
            run_id=run_id or generate_id(),
            scope=resource_id if is_confined else "",
            resource_id=resource_id,
            caller=caller,
            thread=thread,
            created_at=get_timestamp_ms(),
        )
        row = await self._store.create(new, self._max_unfinished)
        if row is None:
            raise build_full_error(self._max_unfinished)
        return await _load(dispatcher.get_run(workflow, row), row)

    @override
    async def start(
        self,
        run: Run,
        value: Any,
        context: Mapping[str, Any] | None = None,
        *,
        state: Any = None,
        per_step: bool = False,
        priority: int = 0,
    ) -> None:
        run = _require_durable_run(run)
        if run.record.status != "pending":
            raise _build_start_conflict(run)
        try:
            check_start_options(context, per_step, priority)
            data = read_input_data(run.workflow.input_type, value)
            state = build_initial_state(run.workflow, state)
        except InvalidInput:
            await self._store.delete(run.key, only_pending=True)  # others may have started it
            raise
        event = RunStarted(input=data, state=state)
        settings = ExecutionSettings(state=state, per_step=per_step)
        if not await self._begin(
            run, event, settings, context, priority=priority, fingerprint=run.workflow.fingerprint
        ):
            await run.refresh()
            raise _build_start_conflict(run)

    @override
    async def resume_many(
        self,
        run: Run,
        data: Any,
        steps: Sequence[str],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        run = _require_durable_run(run)
        is_known = run.row.fingerprint == run.workflow.fingerprint  # else the steps check the data
        paths = await check_resume_data(run.workflow if is_known else None, run.record, steps, data)
        dispatcher = await self._dispatchers.get()
        data = dump(data)
        text = encode(data)
        answers = [
            (run.record.steps[path].key, encode(StepResumed(step=path, data=data)))
            for path in paths
            if run.record.open.get(path) == "suspended"  # others may have resumed it in between
        ]
        async with dispatcher.reserve(run.workflow, run.row.fingerprint) as holder:
            row, count = await self._store.answer(
                run.key, holder, answers, text, encode_context(context, self._context_keys)
            )
            await run.refresh()
        if row is None:
            raise Conflict("This workflow run was not suspended")
        execution = dispatcher.find_execution(row)
        if execution is None:
            await self._execute_resumed(dispatcher, run, row, context)
        elif count == len(answers):  # the execution needs no query for the answers
            replace_context(execution.context, context)
            await execution.store_answers([key for key, _ in answers], text, row.answers)
        else:  # other callers have resumed some of the steps
            await execution.add_answers()

    async def _execute_resumed(
        self,
        dispatcher: Dispatcher,
        run: DurableRun,
        row: RunRow,
        context: Mapping[str, Any] | None,
    ) -> None:
        """Execute a resumed run in the process that holds it.

        Another process that holds the run reads the answers itself.
        """
        if not row.holder:  # the run waits for a free process
            dispatcher.look_soon()
        elif row.holder == dispatcher.member.id:
            if row.fingerprint in self._workflows.fingerprints:
                dispatcher.execute(run, row, build_context(row.context, context))
            else:  # the run was moved in between
                await self._store.release_run(row.id, row.holder, row.attempt)

    @override
    async def time_travel(
        self,
        run: Run,
        step: str,
        value: Any = UNSET,
        *,
        outputs: Mapping[str, Any] | None = None,
        state: Any = None,
        resume_data: Any = None,
        context: Mapping[str, Any] | None = None,
        per_step: bool = False,
    ) -> None:
        run = _require_durable_run(run)
        # The run may have an earlier description of the workflow, which is in previous=[...].
        workflow = self._workflows.current.get(run.workflow.id, run.workflow)
        fields = None if state is None else build_initial_state(workflow, state)
        for _ in range(_TRIES):
            require_rested(run.record)
            start = build_start_point(workflow, run.record, step, value, outputs, resume_data)
            settings = ExecutionSettings(
                state=dict(run.record.state) if fields is None else fields,
                start=start,
                per_step=per_step,
            )
            event = build_rewind_event(run.record, start)
            if await self._begin(
                run, event, settings, context, keep=None, fingerprint=workflow.fingerprint
            ):
                return
            await run.refresh()
        raise _build_change_conflict(run)

    @override
    async def restart(self, run: Run, context: Mapping[str, Any] | None = None) -> None:
        run = _require_durable_run(run)
        for _ in range(_TRIES):
            await run.refresh()
            plan = await plan_restart(self._store, run.row, run.record)
            settings = msgspec.json.decode(run.row.settings, type=ExecutionSettings)
            if await self._begin(
                run, plan.event, settings, context, keep=plan.keep, drop=plan.drop
            ):
                return
        raise _build_change_conflict(run)

    @override
    async def cancel(self, run: Run) -> None:
        run = _require_durable_run(run)
        dispatcher = await self._dispatchers.get()
        event = RunFinished(status="canceled", state=run.record.state)
        if await self._store.cancel(run.key, encode(event)):
            dispatcher.stop_execution(run)
        await run.refresh()

    @override
    async def get(self, workflow: Workflow, run_id: str, resource_id: str = "") -> Run:
        await self.open([workflow])
        dispatcher = await self._dispatchers.get()
        row = await self._store.find(workflow.id, run_id, resource_id or None)
        if row is None:
            raise NotFound("Workflow run not found")
        if row.scope and not resource_id:
            counts = await self._store.count(workflow.id, RunQuery(run_id=run_id))
            if sum(counts.values()) > 1:
                raise build_ambiguity(run_id)
        return await _load(dispatcher.get_run(workflow, row), row)

    @override
    async def get_many(self, workflow: Workflow, query: RunQuery) -> Sequence[Run]:
        await self.open([workflow])
        dispatcher = await self._dispatchers.get()
        found = await self._store.list(workflow.id, query)
        runs = []
        for row, _ in found:
            try:
                runs.append(await _load(dispatcher.get_run(workflow, row), row))
            except UnreadableData as error:  # the callers work on the other runs
                get_logger("mastra.workflows").warning("%s", error.message)
        return runs

    @override
    async def list_page(self, workflow: Workflow, query: RunQuery) -> RunPage:
        await self._dispatchers.get()
        found = await self._store.list(workflow.id, query)
        cursor = None
        if found and len(found) == query.limit:
            last = found[-1][0]
            time = last.created_at if query.order == "created" else last.updated_at
            cursor = RunCursor(time, last.id)
        return RunPage([build_listed_record(row, events)[0] for row, events in found], cursor)

    @override
    async def count(self, workflow: Workflow, query: RunQuery | None = None) -> dict[str, int]:
        await self._dispatchers.get()
        return await self._store.count(workflow.id, query or RunQuery())

    @override
    async def delete(self, run: Run) -> None:
        await self.cancel(run)
        await self._store.delete(_require_durable_run(run).key)

    async def continue_runs(self) -> None:
        """Execute the runs that are due or whose process died, until each has ended or waits.

        A process that lives between requests executes due runs by itself. On other platforms, each
        request for workflows executes due runs, and a cron trigger can call this method.

        :raises StorageError: when the database cannot be used.
        """
        dispatcher = await self._dispatchers.get()
        await dispatcher.continue_runs()

    async def has_waiting_runs(self) -> bool:
        """Return whether this process could execute a due run, or a run of a dead process.

        :raises StorageError: when the database cannot be used.
        """
        return await (await self._dispatchers.get()).has_waiting_runs()

    @override
    async def close(self) -> None:
        await self._dispatchers.close()

    async def _begin(
        self,
        run: DurableRun,
        event: RunEvent,
        settings: ExecutionSettings,
        context: Mapping[str, Any] | None,
        *,
        keep: Collection[str] | None = (),
        drop: Collection[str] = (),
        fingerprint: str = "",
        priority: int | None = None,
    ) -> bool:
        """Begin an execution; return ``False`` if another process has changed the run meanwhile."""
        dispatcher = await self._dispatchers.get()
        mark = fingerprint or run.row.fingerprint
        async with dispatcher.reserve(run.workflow, mark) as holder:
            row = await self._store.begin(
                msgspec.structs.replace(run.row, sequence=run.position),
                holder,
                encode(event),
                encode(msgspec.structs.replace(settings, trace=save_context(settings.trace))),
                encode_context(context, self._context_keys),
                keep=keep,
                drop=drop,
                fingerprint=fingerprint,
                priority=priority,
            )
            if row is None:
                return False
            dispatcher.stop_execution(run)
            run.row, run.trace = row, {}
            await run.add_committed(row.sequence, [event])
            if row.holder:
                dispatcher.execute(run, row, build_context(row.context, context))
            else:
                dispatcher.look_soon()
        return True


async def _load(run: DurableRun, row: RunRow) -> DurableRun:
    if run.position < row.sequence:
        await run.refresh()
    elif row.attempt > run.row.attempt:
        run.row = row
    return run


def _refuse_on_d1(workflow: Workflow) -> None:
    """Refuse schedules and child runs, because D1 has no interactive transactions."""
    if workflow.schedules:
        raise ConfigError(
            f"The workflow {workflow.id!r} has a schedule, but durable schedules do not work on "
            "D1.",
            "Start the runs from a cron trigger of the platform, or use PostgreSQL.",
        )
    if any(step.list_children() for step in workflow.iter_steps()):
        raise ConfigError(
            f"The workflow {workflow.id!r} starts child runs, but D1 cannot start each child run "
            "exactly once.",
            "Use the child workflow itself as the step, or use PostgreSQL.",
        )


def _require_durable_run(run: Run) -> DurableRun:
    if not isinstance(run, DurableRun):
        raise TypeError(f"{run!r} is not a run of DurableEngine.")
    return run


def _build_start_conflict(run: DurableRun) -> Conflict:
    return Conflict(f"The run {run.run_id!r} was started before.", "Create another run.")


def _build_change_conflict(run: DurableRun) -> Conflict:
    return Conflict(
        f"Other callers are changing the run {run.run_id!r} at the same time.", "Try again."
    )
