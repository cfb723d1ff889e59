"""One run: its settings, built, trained, validated or tested, and written down."""
