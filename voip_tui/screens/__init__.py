"""What the console shows, one screen or dialogue a file."""
