"""Random workflows, and what they must come to by the plainest evaluation there is.

Every part takes a number and gives one. A graph is nested tuples; ``Graph`` makes a workflow of
it and says what it gives.
"""

import collections
import itertools

from hypothesis import strategies as st

from mastra_core import StepContext, Workflow, step
from mastra_core.workflows import Retry, as_step

numbers = st.integers(0, 3)
leaves = st.one_of(
    st.tuples(st.just("add"), numbers),
    st.tuples(st.just("thread"), numbers),
    st.tuples(st.just("ask"), numbers),
    st.tuples(st.just("flaky"), numbers),
    st.tuples(st.just("broken"), numbers),
    st.tuples(st.just("state"), numbers),
)
bails = st.tuples(st.just("bail"), numbers)


def groups(parts):
    some = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(st.just("nested"), st.lists(parts | bails, min_size=1, max_size=3).map(tuple)),
        st.tuples(st.just("parallel"), some),
        st.tuples(st.just("branch"), some),
        st.tuples(st.just("foreach"), st.integers(1, 3), numbers, parts),
        st.tuples(st.just("loop"), st.booleans(), st.integers(1, 3), parts),
        st.tuples(st.just("sleep"), numbers),
    )


graphs = st.lists(st.recursive(leaves, groups, max_leaves=8), min_size=1, max_size=4).map(tuple)


class Broken(Exception):
    """The evaluation comes to a step that fails for good."""


class Bailed(Exception):
    """The evaluation comes to a step that ends its workflow."""


class Graph:
    """One random workflow: what it is, what it gives, and how often its steps were called.

    :param repaired: steps that would fail do not, since what they need is there again.
    """

    def __init__(self, parts):
        self.parts = parts
        self.repaired = False
        self.calls = collections.Counter()
        self._ids = itertools.count()
        self.workflow = self._workflow("whole", parts)

    def expected(self, value):
        """The result, or ``None`` where the run must fail."""
        try:
            return self._value(self.parts, value)
        except Bailed as bailed:
            return bailed.args[0]
        except Broken:
            return None

    @staticmethod
    def answer(n):
        """What a person says who is asked about ``n``."""
        return n % 5 + 1

    def _value(self, parts, n):
        for part in parts:
            n = self._part(part, n)
        return n

    def _part(self, part, n):  # noqa: C901, PLR0911, PLR0912  # one case a kind
        match part:
            case ("add" | "thread" | "flaky" | "state", k):
                return n + k
            case ("ask", k):
                return n + k + self.answer(n)
            case ("broken", k) if self.repaired:
                return n + k
            case ("broken", _):
                raise Broken
            case ("bail", k):
                raise Bailed(n * 10 + k)
            case ("sleep", _):
                return n
            case ("nested", parts):
                try:
                    return self._value(parts, n)
                except Bailed as bailed:
                    return bailed.args[0]
            case ("parallel", parts):
                return sum([self._part(each, n) for each in parts]) % 1000
            case ("branch", parts):
                taken = [each for index, each in enumerate(parts) if (n + index) % 2 == 0]
                return sum([self._part(each, n) for each in taken]) % 1000
            case ("foreach", _, count, each):
                return sum([self._part(each, n + index) for index in range(count)]) % 1000
            case ("loop", _, times, each):
                for _ in range(times):
                    n = self._part(each, n)
                return n

    def _workflow(self, name, parts):
        workflow = Workflow(name)
        for part in parts:
            workflow = self._added(workflow, part)
        return workflow

    def _added(self, workflow, part):
        match part:
            case ("parallel", parts):
                return workflow.parallel(*map(self._step, parts)).map(total)
            case ("branch", parts):
                pairs = [(even(index), self._step(each)) for index, each in enumerate(parts)]
                return workflow.branch(*pairs).map(total)
            case ("foreach", concurrency, count, each):
                spread = workflow.map(lambda n: [n + index for index in range(count)])
                return spread.foreach(self._step(each), concurrency=concurrency).map(total)
            case ("loop", until, times, each):
                body = self._step(each)
                if until:
                    return workflow.dountil(body, lambda n, context: context.iteration >= times)
                return workflow.dowhile(body, lambda n, context: context.iteration < times)
            case ("sleep", k):
                return workflow.sleep(k / 10_000)
        return workflow.then(self._step(part))

    def _step(self, part):
        name = f"{part[0]}{next(self._ids)}"
        if part[0] == "nested":
            return as_step(self._workflow(name, part[1]))
        if part[0] in {"parallel", "branch", "foreach", "loop", "sleep"}:
            return as_step(self._workflow(name, (part,)))
        return self._leaf(name, *part)

    def _leaf(self, name, kind, k):  # noqa: C901  # one function a kind
        def called(context):
            self.calls[context.path, context.iteration, context.attempt] += 1

        def add(n: int, context: StepContext) -> int:
            called(context)
            return n + k

        async def asynchronous(n: int, context: StepContext) -> int:
            return add(n, context)

        async def ask(n: int, context: StepContext) -> int:
            called(context)
            if context.resume_data is None:
                context.suspend(n)
            return n + k + context.resume_data

        async def flaky(n: int, context: StepContext) -> int:
            called(context)
            if context.attempt <= k:
                raise OSError("not yet")
            return n + k

        async def broken(n: int, context: StepContext) -> int:
            called(context)
            if not self.repaired:
                raise LookupError("never")
            return n + k

        async def state(n: int, context: StepContext) -> int:
            called(context)
            context.set_state({context.path: n})
            return n + k

        async def bail(n: int, context: StepContext) -> int:
            context.bail(n * 10 + k)

        functions = {"thread": add, "ask": ask, "flaky": flaky, "broken": broken, "state": state}
        function = {**functions, "bail": bail}.get(kind, asynchronous)
        policy = Retry(count=k, delay=0.0001) if kind == "flaky" else None
        return step(id=name, resume=int, retry=policy)(function)


def even(index):
    return lambda n: (n + index) % 2 == 0


def total(values):
    return sum(values.values() if isinstance(values, dict) else values) % 1000
