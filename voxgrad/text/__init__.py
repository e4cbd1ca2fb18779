"""Written English to token ids, offline."""
