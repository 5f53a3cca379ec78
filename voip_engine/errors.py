"""The error that engine commands raise."""


class EngineError(Exception):
    """A command cannot be carried out; the text says why in plain words, fit for an operator."""
