"""Puts an approved model on top of a serving image by adding layers. Rooms:

command         the command line
approval        from the approval to the gate report to the model's files
destination     where the image goes: placeholders, tags
runtime         which base: with scikit-learn, or without for converted models
compatibility   whether a base image fits the model
contents        what lies where in the image
labels          labels, annotations and environment of the image
build           the steps in order
summary         what the log shows at the end
"""

__version__ = "0.1.0"
