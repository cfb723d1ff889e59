"""Readers of each source: files in pieces, bad input refused in one line or dropped and counted."""
