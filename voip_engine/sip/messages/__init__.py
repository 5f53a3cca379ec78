"""What goes over the wire: bytes to values and back."""
