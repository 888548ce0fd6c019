"""A Comparison in every format: for the terminal, for a pull request, for a paper, for a program.

`facts` says which rows there are and what stands in them; the formats only lay them out.
"""

from harness.tables.compare.data import csv_table, json_data
from harness.tables.compare.latex import latex
from harness.tables.compare.markdown import markdown
from harness.tables.compare.terminal import terminal

__all__ = ["csv_table", "json_data", "latex", "markdown", "terminal"]
