"""Figures, and tables as text: what several rooms draw with."""
