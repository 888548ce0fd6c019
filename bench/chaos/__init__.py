"""Runs evalrun as people do, breaks things under it, and counts what is lost: nothing may be."""
