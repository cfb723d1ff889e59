"""Every reader of the package, small valid files for each, and damage to them, by number."""

from generated.fuzz.mutate import mutated
from generated.fuzz.play import Finding, Player
from generated.fuzz.reader import Reader
from generated.fuzz.readers import all_readers

__all__ = ["Finding", "Player", "Reader", "all_readers", "mutated"]
