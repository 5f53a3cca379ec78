"""Calls as SIP sees them: dialogs, offers and answers, transfers."""
