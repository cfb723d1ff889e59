"""Published data sets in the layouts of their official files, each yielding items and a log."""
