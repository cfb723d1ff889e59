"""Metadata fields through prompt templates: the views that a text encoder reads."""

from cliper.views.filtering import NoiseRule
from cliper.views.render import RenderedViews, check_views, render
from cliper.views.templates import FILM_TEMPLATES, GLOBAL, PAPER_TEMPLATES, default_templates

__all__ = [
    "FILM_TEMPLATES",
    "GLOBAL",
    "PAPER_TEMPLATES",
    "NoiseRule",
    "RenderedViews",
    "check_views",
    "default_templates",
    "render",
]
