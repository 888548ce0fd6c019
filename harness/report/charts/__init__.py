"""The plots of a report, drawn by matplotlib, coloured by the page.

Sides --draw--> Figure --inline--> an <svg> whose colours are classes: light, dark, print share it
"""

from harness.report.charts.bars import category_bars
from harness.report.charts.drawing import Chart
from harness.report.charts.scatter import cost_against_score, time_against_score

__all__ = ["Chart", "category_bars", "cost_against_score", "time_against_score"]
