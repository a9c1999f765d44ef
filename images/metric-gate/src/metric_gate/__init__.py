"""Compares a model's metrics with rules and a baseline, and always reaches a verdict. Rooms:

numbers_as_written   decimal numbers that keep how they were written
directions           which metrics are better when higher, which when lower
metrics_document     metrics.json, read without rounding
rules_document       the YAML of rules: read strictly, every error naming its field
baseline             what the candidate is compared with, in its three forms
decision             the algebra: rules, candidate and baseline in, checks and verdict out
lost_metrics         what the baseline has and the model lost: the note, and the verdict's words from it
gate                 one decision from files to a report
report_text          the report for people: table, line of verdict, Markdown
baseline_document    the ConfigMap that makes an approved model the next baseline
command              the command line
"""

__version__ = "0.1.0"
