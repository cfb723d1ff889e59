"""The demonstration: a generated shop, and the whole job on it."""
