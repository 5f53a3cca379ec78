"""What `voip-tui` does besides running the console; none of it needs a terminal."""
