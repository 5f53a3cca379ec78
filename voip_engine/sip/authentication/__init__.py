"""Digest authentication, both sides."""
