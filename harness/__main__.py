"""`python -m harness` is `evalrun`."""

from harness.cli import main

main()
