"""Random workflows, and a plain evaluation that computes their expected results.

Each part takes and returns a number. Parts are nested tuples; ``RandomWorkflow`` builds a workflow
of them and computes its expected result.
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


def build_groups(parts):
    some_parts = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(st.just("nested"), st.lists(parts | bails, min_size=1, max_size=3).map(tuple)),
        st.tuples(st.just("parallel"), some_parts),
        st.tuples(st.just("branch"), some_parts),
        st.tuples(st.just("foreach"), st.integers(1, 3), numbers, parts),
        st.tuples(st.just("loop"), st.booleans(), st.integers(1, 3), parts),
        st.tuples(st.just("sleep"), numbers),
    )


workflow_parts = st.lists(
    st.recursive(leaves, build_groups, max_leaves=8), min_size=1, max_size=4
).map(tuple)


class ExpectedFailure(Exception):
    """The evaluation reached a step that fails."""


class ExpectedBail(Exception):
    """The evaluation reached a step that ends its workflow by ``bail``."""


class RandomWorkflow:
    """One random workflow, its expected result, and the number of calls of its steps.

    While ``is_repaired`` is set, the failing steps succeed.
    """

    def __init__(self, parts):
        self.parts = parts
        self.is_repaired = False
        self.calls = collections.Counter()
        self._ids = itertools.count()
        self.workflow = self._build_workflow("whole", parts)

    def compute_expected(self, value):
        """Return the expected result, or ``None`` if the run must fail."""
        try:
            return self._evaluate(self.parts, value)
        except ExpectedBail as bail:
            return bail.args[0]
        except ExpectedFailure:
            return None

    @staticmethod
    def compute_answer(n):
        """Return the data that resumes a step suspended with ``n``."""
        return n % 5 + 1

    def _evaluate(self, parts, n):
        for part in parts:
            n = self._evaluate_part(part, n)
        return n

    def _evaluate_part(self, part, n):  # noqa: C901, PLR0911, PLR0912  # one case a kind
        match part:
            case ("add" | "thread" | "flaky" | "state", k):
                return n + k
            case ("ask", k):
                return n + k + self.compute_answer(n)
            case ("broken", k) if self.is_repaired:
                return n + k
            case ("broken", _):
                raise ExpectedFailure
            case ("bail", k):
                raise ExpectedBail(n * 10 + k)
            case ("sleep", _):
                return n
            case ("nested", parts):
                try:
                    return self._evaluate(parts, n)
                except ExpectedBail as bail:
                    return bail.args[0]
            case ("parallel", parts):
                return sum([self._evaluate_part(each, n) for each in parts]) % 1000
            case ("branch", parts):
                executed = [each for index, each in enumerate(parts) if (n + index) % 2 == 0]
                return sum([self._evaluate_part(each, n) for each in executed]) % 1000
            case ("foreach", _, count, each):
                return sum([self._evaluate_part(each, n + index) for index in range(count)]) % 1000
            case ("loop", _, times, each):
                for _ in range(times):
                    n = self._evaluate_part(each, n)
                return n

    def _build_workflow(self, name, parts):
        workflow = Workflow(name)
        for part in parts:
            workflow = self._add_part(workflow, part)
        return workflow

    def _add_part(self, workflow, part):
        match part:
            case ("parallel", parts):
                return workflow.parallel(*map(self._build_step, parts)).map(sum_values)
            case ("branch", parts):
                pairs = [
                    (build_even_test(index), self._build_step(each))
                    for index, each in enumerate(parts)
                ]
                return workflow.branch(*pairs).map(sum_values)
            case ("foreach", concurrency, count, each):
                with_items = workflow.map(lambda n: [n + index for index in range(count)])
                return with_items.foreach(self._build_step(each), concurrency=concurrency).map(
                    sum_values
                )
            case ("loop", until, times, each):
                body = self._build_step(each)
                if until:
                    return workflow.dountil(body, lambda n, context: context.iteration >= times)
                return workflow.dowhile(body, lambda n, context: context.iteration < times)
            case ("sleep", k):
                return workflow.sleep(k / 10_000)
        return workflow.then(self._build_step(part))

    def _build_step(self, part):
        name = f"{part[0]}{next(self._ids)}"
        if part[0] == "nested":
            return as_step(self._build_workflow(name, part[1]))
        if part[0] in {"parallel", "branch", "foreach", "loop", "sleep"}:
            return as_step(self._build_workflow(name, (part,)))
        return self._build_leaf(name, *part)

    def _build_leaf(self, name, kind, k):  # noqa: C901  # one function a kind
        def count_call(context):
            self.calls[context.path, context.iteration, context.attempt] += 1

        def add(n: int, context: StepContext) -> int:
            count_call(context)
            return n + k

        async def add_async(n: int, context: StepContext) -> int:
            return add(n, context)

        async def ask(n: int, context: StepContext) -> int:
            count_call(context)
            if context.resume_data is None:
                context.suspend(n)
            return n + k + context.resume_data

        async def flaky(n: int, context: StepContext) -> int:
            count_call(context)
            if context.attempt <= k:
                raise OSError("not yet")
            return n + k

        async def fail(n: int, context: StepContext) -> int:
            count_call(context)
            if not self.is_repaired:
                raise LookupError("never")
            return n + k

        async def state(n: int, context: StepContext) -> int:
            count_call(context)
            context.set_state({context.path: n})
            return n + k

        async def bail(n: int, context: StepContext) -> int:
            context.bail(n * 10 + k)

        functions = {"thread": add, "ask": ask, "flaky": flaky, "broken": fail, "state": state}
        function = {**functions, "bail": bail}.get(kind, add_async)
        policy = Retry(count=k, delay=0.0001) if kind == "flaky" else None
        return step(id=name, resume=int, retry=policy)(function)


def build_even_test(index):
    return lambda n: (n + index) % 2 == 0


def sum_values(values):
    return sum(values.values() if isinstance(values, dict) else values) % 1000
