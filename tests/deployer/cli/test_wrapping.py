"""Output is wrapped at the words on a terminal, to its width, and nowhere else."""

import os
import subprocess
import sys

import pytest

from mastra_deployer.output.names import format_names
from mastra_deployer.output.wrap import get_terminal_width, wrap_message, wrap_text

LINES = """\
import sys
from mastra_core.pipeline import Problem
from mastra_deployer.cli.terminal import Terminal
from mastra_deployer.dev.console import Screen
from mastra_deployer.pipeline.report_problems import raise_for_errors

for report in (Terminal(), Screen()):
    report.warn("The quick brown fox jumps over the lazy dog and then over it again.",
                "Run `mastra deploy vercel --prod`, which keeps the dog where it lies.")
many = [Problem(message=f"'f{n}' is stale.", hint="Save it.", severity="warning", where=f"a.py:{n}")
        for n in range(60)]
raise_for_errors(many, Terminal())
"""


def test_words_are_kept_whole():
    assert wrap_text("aaa bbb ccc", 7) == "aaa bbb\nccc"
    assert wrap_text("aaa bbb\nccc ddd", 5, indent="  ") == "aaa\n  bbb\n  ccc\n  ddd"
    assert wrap_text("a-very-long-word is kept", 8) == "a-very-long-word\nis kept"
    assert wrap_text("run `mastra build --locked` now", 12) == "run\n`mastra build --locked`\nnow"
    assert wrap_text("aaa bbb ccc", 0) == "aaa bbb ccc"


def test_a_hint_stands_below_its_message():
    assert wrap_message("aaa bbb ccc", "ddd eee", 14, label="error: ") == (
        "aaa bbb\n       ccc\n  ddd eee"
    )
    assert wrap_message("aaa\nbbb", "ccc\nddd", 0, label="error: ") == "aaa\nbbb\n  ccc\n  ddd"


def test_long_lists_have_a_count():
    assert format_names(["a", "b", "c"]) == "a, b, c"
    assert format_names([*"abcde"]) == "a, b, c and 2 more"


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals need Unix")
@pytest.mark.parametrize("columns", [40, 120])
def test_messages_fit_the_terminal(columns):
    text = run_on_terminal(columns)
    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    assert text.count("`mastra deploy vercel --prod`") == 2
    assert ("warning: The quick brown fox jumps over\n" in text) == (columns == 40)
    assert text.count("is stale") == 1 and "59 others are of the same kind" in " ".join(
        text.split()
    )
    assert text.count("Save it.") == 1
    assert "\x1b" not in text, "NO_COLOR is set"


def test_without_a_terminal_a_message_is_one_line():
    done = subprocess.run([sys.executable, "-c", LINES], capture_output=True, text=True, check=True)
    assert done.stderr.count("lazy dog and then over it again.\n  Run `mastra deploy") == 2
    assert "\x1b" not in done.stderr
    with open(os.devnull) as stream:
        assert get_terminal_width(stream) == 0


def run_on_terminal(columns):
    """Return what a process prints on a terminal of this width."""
    import fcntl
    import pty
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-c", LINES]
    process = subprocess.Popen(command, stdout=child, stderr=child, env=environment)
    os.close(child)
    content = b""
    while part := read_part(parent):
        content += part
    os.close(parent)
    assert process.wait(30) == 0, content
    return content.decode().replace("\r\n", "\n")


def read_part(parent):
    try:
        return os.read(parent, 65536)
    except OSError:  # the terminal is closed
        return b""
