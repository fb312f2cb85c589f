"""Keep timers, tasks and futures within a request, on platforms that limit them to the request.

On Cloudflare Workers, each request owns its timers, tasks and futures. One request may neither wake
nor cancel a task of another request. All tasks of a request end with its response, unless the
platform is asked to keep the request alive. On platforms that limit tasks to a request, the entry
module calls ``enable_request_scope`` before it imports the application. On all other platforms, the
functions of this package are those of asyncio.
"""

from mastra_core.request_scope.mode import (
    disable_request_scope,
    enable_request_scope,
    is_request_scoped,
)
from mastra_core.request_scope.request_lifetime import (
    RequestLifetime,
    enter_request,
    get_current_request,
    keep_alive,
)
from mastra_core.request_scope.run_task import (
    cancel_task,
    is_being_cancelled,
    is_task_done,
    start_task,
    wait_for_task,
)
from mastra_core.request_scope.signal import Signal, create_signal

__all__ = (
    "RequestLifetime",
    "Signal",
    "cancel_task",
    "create_signal",
    "disable_request_scope",
    "enable_request_scope",
    "enter_request",
    "get_current_request",
    "is_being_cancelled",
    "is_request_scoped",
    "is_task_done",
    "keep_alive",
    "start_task",
    "wait_for_task",
)
