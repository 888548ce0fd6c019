"""`evalrun view`: the runs and pictures of a results folder as local web pages.

A request --guard--> a page function --library--> records, scores, pictures --> a template of
`templates/`, built from the components that the report is built from. Nothing is written but a
person's corrections and cases of a suite of one's own.
"""
