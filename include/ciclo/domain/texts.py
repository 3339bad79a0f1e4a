"""Texts that people write: when two of them are the same to whoever reads them."""

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=8192)
def plain(text: str | None) -> str:
    """Return a text without what nobody sees: case, kinds of blanks and how many."""
    return " ".join(unicodedata.normalize("NFKC", text or "").split()).casefold()


def begins_alike(one: str, other: str) -> bool:
    """Whether one text begins with the other, at the end of a word: `Plano 1` is not the beginning of `Plano 10`."""
    shorter, longer = sorted((one, other), key=len)
    if not shorter or not longer.startswith(shorter):
        return False
    return not (longer[len(shorter) :][:1].isalnum() and shorter[-1].isalnum())
