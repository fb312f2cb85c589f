"""Report what breaks the rule that a request owns its timers, tasks and futures.

The guard watches the event loop of a plain CPython, or the one of Pyodide. Each future, timer and
task remembers the request that created it. These are breaches:

- a request resolves, cancels or awaits a future or a task of another request,
- a request cancels a timer of another request,
- a task or a timer is left when a request ends. A request ends with its response, or later with
  the tasks that it keeps alive by ``hold``.

The host itself is no request: threads, sockets, the ASGI server and the shutdown of the
application. What it does, and what is done to it, is no breach, because Cloudflare Workers have
none of these. The startup of the application is a request: there, it is part of the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import traceback
from contextvars import ContextVar

_current = ContextVar("guarded_request", default=None)
_SETTLE_TURNS = 20  # of the event loop, in which cancelled tasks end


class Request:
    """One request with the tasks and timers that it has created."""

    def __init__(self, name):
        self.name = name
        self.tasks = set()
        self.timers = set()
        self.kept = set()

    def __repr__(self):
        return self.name


class RequestGuard:
    """A watch over one event loop.

    :ivar breaches: one text for each breach.
    """

    def __init__(self):
        self.breaches = []
        self.requests = 0
        self._ends = set()

    def hold(self, awaitable):
        """Keep the current request alive; the function for ``enable_request_scope``."""
        request = _current.get()
        if request is None:
            return
        future = asyncio.ensure_future(awaitable)
        request.kept.add(future)

    def install(self, loop, task_type=asyncio.Task):
        """Watch an event loop that has not run anything yet; return it.

        :param task_type: the class of the loop's tasks.
        """
        probe = loop.create_future()
        probe.cancel()
        future_class = self._guard_class(type(probe))
        task_class = self._guard_class(task_type)

        def create_future():
            return future_class(loop=loop)

        def create_task(loop, work, **options):
            task = task_class(work, loop=loop, **options)
            request = _current.get()
            if request is not None:
                request.tasks.add(task)
            return task

        loop.create_future = create_future
        if isinstance(loop, asyncio.BaseEventLoop):
            loop.set_task_factory(create_task)
        else:  # Pyodide's loop cannot name a task that a factory has made
            loop.create_task = functools.partial(create_task, loop)
        self._guard_timers(loop)
        self._guard_sockets(loop)
        return loop

    def new_loop(self):
        """Return a new guarded event loop: a loop factory for ``asyncio.Runner``."""
        return self.install(asyncio.SelectorEventLoop())

    @contextlib.asynccontextmanager
    async def enter(self, name):
        """Make the block one request, and check at its end what is left of it."""
        request = Request(f"{name} #{self.requests}")
        self.requests += 1
        token = _current.set(request)
        try:
            yield request
        finally:
            _current.reset(token)
            check = asyncio.ensure_future(self._check_end(request, asyncio.current_task()))
            self._ends.add(check)
            check.add_done_callback(self._ends.discard)

    def wrap(self, app):
        """Return an ASGI application in which each HTTP request is a request of the guard."""

        async def call(scope, receive, send):
            if scope["type"] == "lifespan":  # what it starts ends with the first request
                _current.set(Request("startup"))
            if scope["type"] != "http":
                await app(scope, _act_as_host(receive), _act_as_host(send))
                return
            async with self.enter(f"{scope['method']} {scope['path']}"):
                await app(scope, _act_as_host(receive), _act_as_host(send))

        return call

    async def wait_for_ends(self):
        """Wait until every request has ended, with the tasks that it keeps alive."""
        while self._ends:
            await asyncio.wait(set(self._ends))

    async def _check_end(self, request, main_task):
        """Report tasks and timers that are left of a request."""
        while True:
            while kept := {task for task in request.kept if not task.done()}:
                await asyncio.wait(kept)
            for _ in range(_SETTLE_TURNS):
                await asyncio.sleep(0)
            if all(task.done() for task in request.kept):
                break
        for task in request.tasks - request.kept:
            if task is not main_task and not task.done():
                self._report(f"{request} left the task {task!r}")
        for timer in request.timers:
            if not timer.cancelled() and timer.left:
                self._report(f"{request} left the timer {timer!r}")

    def _report(self, text):
        self.breaches.append(text)

    def _check_access(self, owner, what, target):
        current = _current.get()
        if current is owner or current is None or owner is None:
            return
        place = traceback.format_stack(limit=8)[:-2]
        self._report(f"{current} {what} of {owner}: {target!r}\n{''.join(place)}")

    def _guard_class(self, base):
        """Return a subclass of a class of futures or tasks that knows its request."""
        guard = self

        class Guarded(base):
            def __init__(self, *arguments, **options):
                self.owner = _current.get()
                super().__init__(*arguments, **options)

            def set_result(self, result):
                guard._check_access(self.owner, "resolved a future", self)
                super().set_result(result)

            def set_exception(self, exception):
                guard._check_access(self.owner, "resolved a future", self)
                super().set_exception(exception)

            def cancel(self, *arguments, **options):
                if not self.done():
                    guard._check_access(self.owner, "cancelled a future", self)
                return super().cancel(*arguments, **options)

            def add_done_callback(self, callback, **options):
                if not self.done():
                    guard._check_access(self.owner, "awaited a future", self)
                super().add_done_callback(callback, **options)

        Guarded.__name__ = Guarded.__qualname__ = f"Guarded{base.__name__}"
        return Guarded

    def _guard_timers(self, loop):
        guard, call_at, call_later = self, loop.call_at, loop.call_later

        def start(call, when, callback, arguments, options):
            request, handle = _current.get(), None

            def run():
                handle.left = False
                if request is not None:
                    request.timers.discard(handle)
                callback(*arguments)

            timer = call(when, run, **options)
            handle = _GuardedTimer(timer, guard, request, callback)
            if request is not None:
                request.timers.add(handle)
            return handle

        def start_at(when, callback, *arguments, **options):
            return start(call_at, when, callback, arguments, options)

        def start_later(delay, callback, *arguments, **options):
            if not delay:  # the next turn of the loop, which Pyodide makes with a timer too
                return call_later(delay, callback, *arguments, **options)
            return start(call_later, delay, callback, arguments, options)

        # call_later of CPython calls call_at, so that one of the two is enough
        loop.call_at = start_at
        if not isinstance(loop, asyncio.BaseEventLoop):
            loop.call_later = start_later

    def _guard_sockets(self, loop):
        """Make callbacks of sockets callbacks of the host, whoever opened the socket."""
        for name in ("_add_reader", "_add_writer"):
            if add := getattr(loop, name, None):
                setattr(loop, name, self._build_add(add))

    def _build_add(self, add):
        def add_for_host(descriptor, callback, *arguments, **context):  # of Python 3.15
            return add(descriptor, _run_as_host, callback, *arguments, **context)

        return add_for_host


class _GuardedTimer:
    """A timer that knows its request."""

    _source_traceback = None  # asyncio reads it

    def __init__(self, timer, guard, owner, callback):
        self.left = True
        self._timer = timer
        self._guard = guard
        self._owner = owner
        self._callback = callback

    def __repr__(self):
        return f"for {self._callback!r}"

    def cancel(self):
        if not self.left:
            return
        self._guard._check_access(self._owner, "cancelled a timer", self)
        self.left = False
        if self._owner is not None:
            self._owner.timers.discard(self)
        self._timer.cancel()

    def cancelled(self):
        return self._timer.cancelled()

    def when(self):
        return self._timer.when()


def _act_as_host(function):
    """Return an asynchronous function of the host, such as ``send`` of an ASGI server."""

    async def call(*arguments):
        token = _current.set(None)
        try:
            return await function(*arguments)
        finally:
            _current.reset(token)

    return call


def _run_as_host(callback, *arguments):
    token = _current.set(None)
    try:
        callback(*arguments)
    finally:
        _current.reset(token)
