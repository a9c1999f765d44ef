"""What goes wrong around a cluster, in one line with its remedy."""

from __future__ import annotations


class ClusterError(Exception):
    """The message is for the user."""
