"""Runs a training script unchanged and describes the model that came out. Rooms, in the order of a run:

command               the command line
training              the whole run, one step after the other
request               what was asked for, checked before anything runs
only_run              one run at a time for a model directory
git_source, dataset   the commit and the data, and their digests
requirements_overlay  the project's own packages, beside the image's
script_environment    thread limits, variables of SageMaker and Vertex AI; cgroup: processors and memory
supervised_process    the script as a child; process_tree: what it leaves behind; script_failure: how it ended
startup, fit_observer in the script's process: what every fit was given; observation: as columns, ranges and a sample
outputs, metrics      what the script wrote
description           has the model examined, in the process of examination, which forks
describer             the first one: model_loading, signature_of (by fingerprint), golden, project_code, example_input
prover                the second one: golden rows replayed, onnx_conversion proved on observed and on boundary_rows
documents             what these processes tell each other
summary               the last lines of the log
"""
