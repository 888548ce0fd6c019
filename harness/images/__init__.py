"""Pictures: whatever a suite names, read safely and made the one canonical picture that is sent.

A file --header--> format, size, quirks; --encode--> JPEG or PNG, 8-bit RGB, upright, sRGB, no alpha
"""

import warnings

from harness.images.canonical import MAX_FILE_BYTES, encode, inspect, plain
from harness.images.files import open_regular, read_regular, shown
from harness.images.headers import MAX_PIXELS, Header, header
from harness.images.pdf import check_page, split_page
from harness.images.pixels import fitted

# Pillow warns of metadata that is out of order. What matters in a picture is checked here.
warnings.filterwarnings("ignore", module=r"PIL\.")

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "Header",
    "check_page",
    "encode",
    "fitted",
    "header",
    "inspect",
    "open_regular",
    "plain",
    "read_regular",
    "shown",
    "split_page",
]
