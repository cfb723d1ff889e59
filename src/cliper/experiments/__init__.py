"""Experiments, in rooms: one run, searches, comparisons, studies, reports (ADR 0035)."""
