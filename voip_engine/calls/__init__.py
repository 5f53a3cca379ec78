"""One call: its session, its media, its mode, and what is done with it."""
