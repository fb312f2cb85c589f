"""Import and start the app of an isolate once, even if several requests arrive first."""

from __future__ import annotations

import asyncio
import importlib
import operator
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from mastra_deployer_cloudflare.worker.lifespan import Lifespan, StartError
from mastra_deployer_cloudflare.worker.options import Options

__all__ = ("IsolateApp",)

_INTERVAL = 0.01  # seconds between two checks of a start that another request makes
_ABANDONED = 30.0  # seconds after which that start counts as failed


class IsolateApp:
    """The app of this isolate.

    Cloudflare does not allow a request to wait for a future that another request created. If a
    request arrives while another request starts the app, the new request therefore polls the
    progress of the start with its own timer.

    :param options: how the Worker runs the app.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.state: dict[str, Any] = {}
        self._app: Any = None
        self._lifespan: Lifespan | None = None  # the end of this coroutine would end the app
        self._is_started = False
        self._attempt = 0  # number of the current or the latest start
        self._failed_attempt = 0  # number of the latest start that failed
        self._began: float | None = None  # time of the start that runs now
        self._reported = ""

    def load(self) -> Any:
        """Import the app if it is not imported yet, and return it."""
        if self._app is None:
            name, _, attribute = self.options.app.partition(":")
            self._app = operator.attrgetter(attribute)(importlib.import_module(name))
            if self.options.preload:
                self._preload()
        return self._app

    def _preload(self) -> None:
        mastra = getattr(getattr(self._app, "state", None), "mastra", None)
        if mastra is not None:
            from mastra_core import preload

            preload(mastra)

    async def start(self, hold: Callable[[asyncio.Future[Any]], None]) -> Any:
        """Return the started app; start the app unless another request is starting it.

        :param hold: a function that keeps a task running after the end of the response.
        :raises StartError: when the start failed; the reason is in the log.
        """
        while not self._is_started:
            if self._is_starting():
                await self._wait_for(self._attempt)
                continue
            attempt = self._attempt = self._attempt + 1
            self._began = time.monotonic()
            task = asyncio.ensure_future(self._run_start(attempt))
            hold(task)
            await task
            if self._failed_attempt == attempt:
                raise StartError("The app cannot start.")
        return self._app

    def _is_starting(self) -> bool:
        """Return whether a start is running; ignore a start whose request was dropped."""
        return self._began is not None and time.monotonic() - self._began < _ABANDONED

    async def _wait_for(self, attempt: int) -> None:
        while self._attempt == attempt and self._is_starting():  # noqa: ASYNC110  # see the class
            await asyncio.sleep(_INTERVAL)
        if self._failed_attempt >= attempt:
            raise StartError("The app cannot start.")

    async def _run_start(self, attempt: int) -> None:
        try:
            self._check_variables()
            self.state.clear()
            strict = self.options.kind == "mastra"
            lifespan = Lifespan(self.load(), self.state, strict=strict)
            await lifespan
        except (Exception, SystemExit) as error:  # noqa: BLE001  # apps raise anything
            self._failed_attempt = max(self._failed_attempt, attempt)
            self._log(error)
        else:
            self._lifespan = lifespan
            self._is_started = True
        finally:
            if self._attempt == attempt:  # otherwise a later start is running
                self._began = None

    def _check_variables(self) -> None:
        missing = [name for name in self.options.required if not os.environ.get(name)]
        if missing:
            raise StartError(f"Required environment variables are not set: {', '.join(missing)}.")

    def _log(self, error: BaseException) -> None:
        """Print why the app cannot start; print the same reason only once."""
        if isinstance(error, StartError):
            text = f"error: The app cannot start: {error}\n"
        else:
            text = "".join(traceback.format_exception(error))
        if text == self._reported:
            text = "error: The app still cannot start, for the same reason.\n"
        else:
            self._reported = text
        sys.stderr.write(text)
        sys.stderr.flush()
