"""Fetching pictures by address: politely, within bounds, from public places only, resumable."""

from cliper.data.fetch.fetch import fetch_images
from cliper.data.fetch.report import FetchReport
from cliper.data.fetch.settings import FetchSettings

__all__ = ["FetchReport", "FetchSettings", "fetch_images"]
