"""See adapters."""
