"""evalrun: ask vision-language models questions about pictures, grade them, compare them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("evalrun")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
