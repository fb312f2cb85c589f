"""Compare servers of one application: processor time per request, beside the first server.

Rounds take the servers in turn. The share of a server is the time of the first server divided by
its own time, so 1 is free.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from environment import prepare_wheels
from options import add_wheels_option, create_parser, log_progress, write_json
from server import Server

Samples = dict[tuple[str, str], list[float]]  # microseconds per request by request and server


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Servers, and the requests that each of them answers.

    :param description: one sentence about the script.
    :param start_servers: starts the servers and returns them by name; the first one is the base.
        It receives a directory, a stack that ends the servers, and the wheels by package name.
    :param requests: the path and the body of each request, by title.
    :param aims: the least share of each server but the first.
    :param heading: the heading of the column of servers.
    :param base: the title of the first server in the table.
    :param pause: the seconds after the requests in which the server ends its work for them.
    :param rounds: the number of rounds.
    :param count: the number of requests of each round.
    """

    description: str
    start_servers: Callable[[Path, ExitStack, dict[str, Path]], dict[str, Server]]
    requests: Mapping[str, tuple[str, Any]]
    aims: Mapping[str, float]
    heading: str
    base: str
    pause: float
    rounds: int
    count: int

    def run(self, arguments: Sequence[str]) -> int:
        """Parse the command line, measure, and print the table.

        :param arguments: the arguments of the command.
        :returns: the exit code.
        """
        parser = create_parser(self.description, quick="one round of a few requests")
        add_wheels_option(parser)
        options = parser.parse_args(arguments)
        rounds, count = (1, 50) if options.quick else (self.rounds, self.count)
        with tempfile.TemporaryDirectory(prefix="mastra-bench-") as scratch, ExitStack() as stack:
            log_progress("environment")
            wheels = prepare_wheels(Path(scratch) / "wheels", options.wheels)
            servers = self.start_servers(Path(scratch), stack, wheels)
            samples = self._measure(servers, rounds, count)
        print("\n".join(self._format_table(samples, next(iter(servers)))))
        write_json(options.json, {" ".join(key): costs for key, costs in samples.items()})
        return 0

    def _measure(self, servers: Mapping[str, Server], rounds: int, count: int) -> Samples:
        samples: Samples = {}
        for number in range(-1, rounds):  # the first round warms the servers
            log_progress(f"round {number + 1}")
            for title, (path, body) in self.requests.items():
                for name, server in servers.items():
                    cost = self._measure_request(server, path, body, count)
                    if number >= 0:
                        samples.setdefault((title, name), []).append(cost)
        return samples

    def _measure_request(self, server: Server, path: str, body: Any, count: int) -> float:
        """Return the processor time of one request in microseconds, including later work."""
        before = server.measure_cpu()
        server.send(path, body, count)
        time.sleep(self.pause)
        return (server.measure_cpu() - before) / count * 1e6

    def _format_table(self, samples: Samples, base: str) -> list[str]:
        """Return the lines of a Markdown table of the shares."""
        titles = [*self.requests]
        costs = [f"{median(samples[title, base]):.0f} us" for title in titles]
        lines = [" | ".join([f"| {self.heading}", *titles, "aim |"])]
        lines.append("|---" * (len(titles) + 2) + "|")
        lines.append(" | ".join([f"| {self.base}", *costs, "|"]))
        for name, aim in self.aims.items():
            shares = [
                f"{compute_share(samples[title, base], samples[title, name]):.2f}"
                for title in titles
            ]
            lines.append(" | ".join([f"| {name}", *shares, f"{aim} |"]))
        return lines


def compute_share(base: Sequence[float], costs: Sequence[float]) -> float:
    """Return the median share over the rounds.

    :param base: the time of the first server in each round.
    :param costs: the time of the other server in each round.
    """
    return median(without / with_ for without, with_ in zip(base, costs, strict=True))
