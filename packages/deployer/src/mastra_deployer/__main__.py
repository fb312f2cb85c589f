"""The start of the ``mastra`` command, and of ``python -m mastra_deployer``."""

import gc
import signal
import sys

__all__ = ("main",)

# New objects before a garbage collection. Most commands end before they have made so many. With
# Python's 700, garbage collection takes a tenth of the time of a build.
_GC_THRESHOLD = 50_000


def main() -> None:
    """Import the command line and run it; exit with 130 on Ctrl-C, also during the imports."""
    gc.set_threshold(_GC_THRESHOLD)
    try:
        from mastra_deployer.cli.main import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # Python may still wait for threads. A further Ctrl-C ends the process without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # At its end, Python searches all objects for reference cycles. After a build, this search
        # takes 30 ms. It does not examine frozen objects.
        gc.freeze()


if __name__ == "__main__":
    main()
