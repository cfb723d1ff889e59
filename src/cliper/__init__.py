"""CLIPER: multi-view, image-aligned item representations for any recommendation backbone."""

__version__ = "0.1.0"
