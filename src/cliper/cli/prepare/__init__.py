"""`cliper prepare`: raw files become a dataset directory; one file a source."""

from cliper.cli.prepare import amazon, files, microlens, mmrec, movielens, sql
from cliper.cli.prepare.group import command

__all__ = ["amazon", "command", "files", "microlens", "mmrec", "movielens", "sql"]
