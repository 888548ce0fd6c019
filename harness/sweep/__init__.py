"""A grid of settings: its cells, each an ordinary run; what they come to; which one to take.

`grid` makes the cells, `reading` looks their runs up and scores them, `choosing` says which setting
to take, `early` ends cells that are clearly worse, `table` words it all.
"""
