"""Runs as one self-contained HTML page; `page.gather` and `page.page` make it."""
