"""What a server is told and must keep: events of users, and items added, changed or removed."""

from cliper.serving.store.store import Conflict, Event, Kept, Store

__all__ = ["Conflict", "Event", "Kept", "Store"]
