"""The catalog's own checks; ``findings(root)`` of each module says what is wrong, and where."""
