"""Paired tests, and users and seeds drawn again: what numbers show."""
