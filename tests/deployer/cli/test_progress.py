"""Progress: drawn on a terminal, plain lines elsewhere, nothing with --json."""

import os
import re
import sys

import pytest

from mastra_deployer.cli.progress import Progress
from mastra_deployer.cli.terminal import Terminal

unix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals need Unix")
# pty.spawn forks; the child only executes a program.
forking = pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")


def test_progress_has_amount_rate_and_time_left():
    progress = Progress("Uploading")
    assert progress.format(0, 12_000_000, "B") == "Uploading: 0.0 kB of 12.0 MB"
    progress._start -= 10
    text = progress.format(3_000_000, 12_000_000, "B")
    assert re.fullmatch(r"Uploading: 3\.0 MB of 12\.0 MB, 0\.3 MB/s, 30 s left", text), text
    assert progress.format(5, 20, "files").startswith("Uploading: 5 files of 20 files, ")


def test_without_a_terminal_there_is_a_line_for_each_quarter():
    progress = Progress("Uploading")
    quarters = [done for done in range(101) if progress.reaches_quarter(done, 100)]
    assert quarters == [25, 50, 75, 100]
    assert not Progress("x").reaches_quarter(0, 0)


def test_plain_lines_go_to_stderr(capsys):
    with Terminal() as terminal:
        terminal.step("Uploading")
        terminal.advance(1_000_000, 4_000_000)
        terminal.advance(1_100_000, 4_000_000)
        terminal.answer({"done": True}, "Done.")
    out, err = capsys.readouterr()
    assert out == "Done.\n"
    assert [line.partition("] ")[2] for line in err.splitlines()] == [
        "Uploading",
        "Uploading: 1.0 MB of 4.0 MB",
    ]


def test_json_is_one_object_and_no_progress(capsys):
    with Terminal(as_json=True) as terminal:
        terminal.step("Uploading")
        terminal.advance(4, 4)
        terminal.note("Look.", "Here.")
        terminal.answer({"done": True})
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        '{"ok": true, "done": true, "notes": '
        '[{"severity": "note", "message": "Look.", "hint": "Here."}]}\n'
    )


@unix
@forking
def test_progress_is_drawn_on_a_terminal():
    text = run_on_terminal("""
with Terminal() as t:
    t.step('Uploading'); t.advance(1000000, 4000000)
    time.sleep(0.4)
    t.answer({}, 'Done.')
""")
    assert "1.0 MB of 4.0 MB" in text and "Done." in text and "\x1b[" in text


@unix
@forking
def test_other_output_is_not_written_into_the_line_of_the_spinner():
    text = run_on_terminal("""
with Terminal() as t:
    t.step('Uploading'); time.sleep(0.2)
    t.warn('Look.'); time.sleep(0.2)
    t.write_line('a log line'); time.sleep(0.2)
    t.note('End.')
""")
    lines = [strip_styles(line.rpartition("\x1b[2K")[2]) for line in text.splitlines()]
    assert [line for line in lines if line and "Uploading" not in line] == [
        "warning: Look.",
        "a log line",
        "note: End.",
    ]
    assert "\x1b[2K" not in text.partition("a log line")[2], "the spinner has ended"


def strip_styles(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")


def run_on_terminal(script):
    """Run a script in a process, and return what it prints on a terminal."""
    import pty

    output = bytearray()

    def read(descriptor):
        data = os.read(descriptor, 1024)
        output.extend(data)
        return data

    script = f"import time\nfrom mastra_deployer.cli.terminal import Terminal\n{script}"
    saved, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # pty.spawn copies what it reads there
    try:
        pty.spawn([sys.executable, "-c", script], read, lambda _: b"")
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(sink)
    return bytes(output).decode()
