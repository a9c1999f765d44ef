"""The environment that the script runs in: thread limits, and what scripts of SageMaker and Vertex AI read.

Names: SageMaker's training toolkit (ENVIRONMENT_VARIABLES.md) and Vertex AI's "environment variables for custom
training". Folders for test and validation data are left unset: pointing them at the training data would make a script
report metrics of rows it was fitted on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
# Of one argument or variable with the byte at its end: Linux, MAX_ARG_STRLEN (execve(2)).
LONGEST_STRING = 32 * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Folders:
    """Absolute paths. ``model`` is empty when the script starts; ``data`` holds the dataset and nothing else."""

    model: Path
    output: Path
    data: Path | None
    dataset: Path | None


def thread_limits(processors: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Limits for the libraries that start a thread per processor of the whole node; what is set already stays."""
    return {name: environment.get(name) or str(processors) for name in THREAD_VARIABLES}


def platform_variables(
    folders: Folders, hyperparameters: Mapping[str, str], args: list[str], processors: int, script: str
) -> dict[str, str]:
    """Variables by which scripts written for SageMaker and Vertex AI find their folders and hyperparameters."""
    channels = ["train", "training"] if folders.data else []
    sagemaker = {
        "SM_MODEL_DIR": str(folders.model),
        "SM_OUTPUT_DATA_DIR": str(folders.output / "data"),
        "SM_OUTPUT_DIR": str(folders.output),
        "SM_OUTPUT_INTERMEDIATE_DIR": str(folders.output / "intermediate"),
        "SM_CHANNELS": json.dumps(channels),
        "SM_HPS": json.dumps({name: _typed(value) for name, value in hyperparameters.items()}),
        "SM_NUM_CPUS": str(processors),
        "SM_NUM_GPUS": "0",
        "SM_NUM_NEURONS": "0",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_LOG_LEVEL": "20",
        "SM_MODULE_NAME": Path(script).stem,
        "SM_USER_ENTRY_POINT": script,
        "SM_USER_ARGS": json.dumps(args),
        "SM_FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
    }
    if folders.data:
        sagemaker["SM_INPUT_DIR"] = str(folders.data.parent)
        sagemaker |= {f"SM_CHANNEL_{channel.upper()}": str(folders.data) for channel in channels}
    sagemaker |= {f"SM_HP_{name.upper().replace('-', '_').replace('.', '_')}": value
                  for name, value in hyperparameters.items()}  # fmt: skip
    sagemaker["SM_TRAINING_ENV"] = json.dumps({
        "model_dir": sagemaker["SM_MODEL_DIR"], "output_data_dir": sagemaker["SM_OUTPUT_DATA_DIR"],
        "channel_input_dirs": {channel: str(folders.data) for channel in channels},
        "hyperparameters": json.loads(sagemaker["SM_HPS"]), "num_cpus": processors, "num_gpus": 0,
        "hosts": ["algo-1"], "current_host": "algo-1", "log_level": 20, "user_entry_point": script,
    })  # fmt: skip
    vertex = {
        "AIP_MODEL_DIR": str(folders.model),
        "AIP_CHECKPOINT_DIR": str(folders.output / "checkpoints"),
        "AIP_TENSORBOARD_LOG_DIR": str(folders.output / "logs"),
        "CLOUD_ML_JOB_ID": "sklearn-train",
    }
    if folders.dataset:
        vertex |= {"AIP_TRAINING_DATA_URI": str(folders.dataset),
                   "AIP_DATA_FORMAT": folders.dataset.suffix.lstrip(".").lower()}  # fmt: skip
    return {**sagemaker, **vertex}


def bearable(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """(what a process can be given, names of the variables that are too long for it)."""
    lost = [name for name, value in environment.items() if len(os.fsencode(f"{name}={value}")) >= LONGEST_STRING]
    return {name: value for name, value in environment.items() if name not in lost}, lost


def _typed(value: str) -> object:
    """SageMaker's toolkit reads each hyperparameter as JSON where it is JSON, else as text."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
