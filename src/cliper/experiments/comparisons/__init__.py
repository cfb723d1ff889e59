"""Backbones × features × fusions × seeds, with the statistics (the paper's Table 2)."""
