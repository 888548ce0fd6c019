"""What measures evalrun; see README.md here."""
