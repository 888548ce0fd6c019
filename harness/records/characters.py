"""Text that can be written down: a stranger's JSON may hold half characters."""


def whole(text: str) -> str:
    """Join surrogate pairs; a half without its other half becomes U+FFFD, as it has no UTF-8 form.

    >>> whole("\\ud83d\\ude00"), whole("a\\ud800b"), whole("as it was")
    ('😀', 'a\ufffdb', 'as it was')
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
