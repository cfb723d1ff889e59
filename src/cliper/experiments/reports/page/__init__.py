"""A self-contained HTML report: plain typed data in, one file out."""
