"""What goes wrong around images, in one line with its remedy."""

from __future__ import annotations


class ImageError(Exception):
    """The message is for the user."""
