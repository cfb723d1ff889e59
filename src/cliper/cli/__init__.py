"""The command line: arguments, progress, tables; how anything works is known elsewhere.

One file a verb. Nothing heavy is imported before a verb runs, so that `--help` answers at once.
"""

from cliper.cli.application import main

__all__ = ["main"]
