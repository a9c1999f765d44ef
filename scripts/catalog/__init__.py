"""The Python behind the verbs in scripts/."""
