"""A sight test for any endpoint: charts whose truth we know, about forty calls, a card at the end.

charts -> questions (what is asked) -> exam (asks) -> reading, fits (what the replies show) -> card.
"""
