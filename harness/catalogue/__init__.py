"""What is known of models and endpoints before asking them anything, and how to reach them."""

from harness.catalogue.lookup import Catalogue, list_price, load, user_files

__all__ = ["Catalogue", "list_price", "load", "user_files"]
