"""`cliper serve`: a run over HTTP. Needs the extra `serve`; nothing else imports this package."""
