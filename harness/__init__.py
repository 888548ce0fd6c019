"""evalrun: ask vision-language models questions about pictures, grade them, compare them."""

__version__ = "0.1.0"
