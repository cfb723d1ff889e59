"""Experiments: settings, one run, comparisons with their statistics, reports."""
