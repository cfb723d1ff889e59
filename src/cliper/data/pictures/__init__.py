"""Pictures of strangers, read by a process that may die of it."""

from cliper.data.pictures.process import MAX_BYTES, PictureError, check_picture, read_picture

__all__ = ["MAX_BYTES", "PictureError", "check_picture", "read_picture"]
