"""Who may call here."""
