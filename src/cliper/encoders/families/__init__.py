"""One file per family of dual encoders: how its towers, tokeniser and preprocessing are read."""
