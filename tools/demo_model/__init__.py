"""Makes the demonstration model: a real vision GGUF pair of half a megabyte that names colours.

Its weights are wired by hand, not trained, so what it answers is known beforehand: the colour that
stands out in the picture, or in the part that the question names ("at the top left").
"""
