"""One file per suite format. To add one: write its reader, and a line in `loading`."""
