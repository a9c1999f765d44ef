"""The library that the programs of sklearn-catalog share. Rooms:

errors            the exception tree; each error owns its remedy and its exit code
command_line      options and results of a program, declared once and read by argparse, Tekton YAML checks and docs
canonical         canonical JSON and digests
model_manifest    model.json, the manifest of a model directory
model_signature   what an estimator takes and gives
model_directory   reading, checking and publishing a model directory
gate_report       gate/report.json, the approval
confined_paths    paths that may not leave the workspace
environment       what runs here: Python, platform, packages
version_rules     which packages may load what training saved
oci               OCI images: references, layouts, registries, layers, unpacking
pickles           what a saved estimator may name; the restricted unpickler
"""

__version__ = "0.1.0"
