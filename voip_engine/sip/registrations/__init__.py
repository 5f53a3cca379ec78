"""What an account tells its registrar, and hears from it."""
