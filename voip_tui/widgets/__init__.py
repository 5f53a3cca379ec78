"""What the console is drawn with, one concept a file."""
