"""Runs a training script unchanged and describes the model that came out."""
