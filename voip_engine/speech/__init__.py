"""Hearing, thinking and speaking: what the models do, in processes of their own."""
