"""One self-contained HTML page about runs: readable without network and without script.

Names --gather--> Gathered --page--> Page. Model output is untrusted from end to end: every text
passes `inert` and the template's autoescape, and the page forbids itself scripts and requests.
"""

from harness.report.gathering import Gathered as Gathered
from harness.report.gathering import gather as gather
from harness.report.page import page as page
