"""Texts and images into one space: one file per family behind one small protocol."""

from cliper.encoders.base import DualEncoder, Encodings
from cliper.encoders.registry import create_encoder, list_encoders, register_encoder

__all__ = ["DualEncoder", "Encodings", "create_encoder", "list_encoders", "register_encoder"]
