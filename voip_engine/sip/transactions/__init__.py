"""The transaction machines and what belongs to which."""
