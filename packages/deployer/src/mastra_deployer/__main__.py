"""The start of the ``mastra`` command, and of ``python -m mastra_deployer``."""

import sys

__all__ = ("main",)

# New objects before a garbage collection. Most commands end before they have made so many. With
# Python's 700, garbage collection takes a tenth of the time of a build.
_GC_THRESHOLD = 50_000


def main() -> None:
    """Import the command line and run it; exit with 130 on Ctrl-C, also during the imports."""
    try:
        import gc

        from mastra_deployer.project.termination import end_at_signals, raise_at_termination

        gc.set_threshold(_GC_THRESHOLD)
        raise_at_termination()
        try:
            from mastra_deployer.cli.main import main as run_command_line

            run_command_line()
        finally:
            end_at_signals()
            # At its end, Python searches all objects for reference cycles. After a build, this
            # search takes 30 ms. It does not examine frozen objects.
            gc.freeze()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
