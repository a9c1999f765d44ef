"""The whole run: check, install, run the script, find what it wrote, describe it, put the model directory in place."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sklearn_train.cgroup import memory_group, usable_processors
from sklearn_train.dataset import read_dataset, stage_alone
from sklearn_train.description import Described, Material, describe
from sklearn_train.documents import Description, Proof
from sklearn_train.git_source import Checkout, read_checkout
from sklearn_train.metrics import read_metrics
from sklearn_train.only_run import only_run
from sklearn_train.outputs import METRICS_FILE, MODEL_FILE, Found, Outputs, snapshot
from sklearn_train.process_tree import adopt_orphans
from sklearn_train.request import Request, filled_args, read_request
from sklearn_train.requirements_overlay import NO_OVERLAY, Overlay, install_overlay
from sklearn_train.script_environment import Folders, bearable, platform_variables, thread_limits
from sklearn_train.script_failure import failure, shown_command
from sklearn_train.summary import summary_lines
from sklearn_train.supervised_process import Ended, SupervisedProcess, Watch, duration, size
from taskkit.command_line import Arguments, Outcome, say
from taskkit.errors import TaskError, UsageError
from taskkit.model_directory import CODE, METRICS, file_entries, replacing, writing_remedy
from taskkit.model_manifest import MANIFEST, Dataset, Estimator, GoldenSummary, ModelManifest, Onnx, Source, TrainingRun
from taskkit.pickles import check

_SHOWN_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_SUFFIXES = {"pickle": ".pkl", "cloudpickle": ".pkl", "joblib": ".joblib", "skops": ".skops"}


@dataclass(frozen=True)
class Results:
    """What the script left, out of its reach in the new directory."""

    model: Path
    found: Found
    metrics: dict[str, float | int]


def train(arguments: Arguments) -> Outcome:
    """Raises TaskError, UsageError."""
    request = read_request(arguments, Path.cwd())
    adopt_orphans()
    with (
        _stopped_by_signal(),
        tempfile.TemporaryDirectory(prefix="sklearn-train-") as private,
        only_run(request.model_dir),
    ):
        checkout = read_checkout(request.workspace, request.script.file)
        _say_source(checkout)
        dataset = None
        if request.dataset_file is not None:
            dataset = read_dataset(request.dataset_file, request.dataset, request.dataset_sha256)
            say(f"dataset {dataset.path}: sha256 {dataset.sha256}, {dataset.size} bytes")
        with replacing(request.model_dir) as fresh, _told_folder(request.model_dir) as told:
            manifest = _model_directory(request, checkout, dataset, Path(private), fresh, told)
    for line in summary_lines(manifest, request.relative(request.model_dir)):
        say(line)
    sha256 = f"sha256:{dataset.sha256}" if dataset else ""
    return Outcome({"commit": checkout.source.commit, "model-digest": manifest.digest, "dataset-sha256": sha256})


def _say_source(checkout: Checkout) -> None:
    source = checkout.source
    if source.commit:
        changes = "with changes that are not committed" if source.dirty else "clean"
        say(f"commit {source.commit} ({changes})")
    if checkout.note:
        say(f"note: {checkout.note}")


@contextmanager
def _stopped_by_signal() -> Iterator[None]:
    """SIGTERM ends what runs below and becomes an error, so that nothing half-done stays."""

    def stop(number: int, _: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)
        raise TaskError(f"stopped by {signal.Signals(number).name}",
                        "the run was cancelled or ran into its timeout; raise it if training needs longer")  # fmt: skip

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _told_folder(model_dir: Path) -> Iterator[Path]:
    """An empty folder beside the model directory for the script to write to, named the same in every run."""
    folder = model_dir.with_name(f".{model_dir.name}.training")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o775)
        (folder / "output" / "data").mkdir(parents=True)
    except OSError as error:
        raise TaskError(f"can't make {folder} ({error.strerror})", writing_remedy(error, folder.parent)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _model_directory(
    request: Request, checkout: Checkout, dataset: Dataset | None, private: Path, fresh: Path, told: Path
) -> ModelManifest:
    """Writes everything into the new directory ``fresh``."""
    overlay = NO_OVERLAY
    if request.requirements:
        overlay = install_overlay(request.requirements, request.workspace, request.pip_config, private)
    before = snapshot(request.workspace, (request.model_file, request.metrics_file))
    _run_script(request, overlay, private, told)
    results = _results(request, Outputs(request.workspace, told, before), fresh)
    described = describe(_material(request, results, overlay, private, fresh))
    source, note = checkout.with_imports(map(Path, described.description.imported), request.workspace)
    if note:
        say(f"note: {note}")
    _check_onnx(request, described.proof.onnx)
    file = results.model.rename(fresh / f"model{_SUFFIXES[described.description.format]}").name
    overlay.copy_to(fresh)
    manifest = _manifest(request, source, dataset, results, described, file, fresh)
    (fresh / MANIFEST).write_bytes(manifest.to_json())
    _say_what_the_build_refuses(manifest, fresh, request.relative(request.model_dir))
    return manifest


def _say_what_the_build_refuses(manifest: ModelManifest, fresh: Path, shown: str) -> None:
    """Early word of what model-serve-build and model-server don't load; a model may be trained for other uses."""
    try:
        check(fresh / manifest.estimator.file, manifest, fresh / CODE)
    except TaskError as error:
        say(f"note: model-serve-build would refuse this model: {str(error).replace(str(fresh), shown)}")


def _run_script(request: Request, overlay: Overlay, private: Path, told: Path) -> Ended:
    """Raises TaskError that says how the script ended, unless it ended well."""
    data = private / "input" / "data" / "training" if request.dataset_file else None
    if data and request.dataset_file:
        stage_alone(request.dataset_file, data)
    shown = Path(request.relative(told))
    args = filled_args(request, str(shown / "model.pkl"), str(shown / METRICS), str(shown))
    processors = usable_processors()
    limits = thread_limits(processors, os.environ)
    folders = Folders(told, told / "output", data, request.dataset_file)
    environment, lost = bearable({
        **os.environ, **limits, "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0",
        **platform_variables(folders, request.hyperparameters, args, processors, request.script.given),
        "SKLEARN_TRAIN_OBSERVATIONS": str(private / "observations"),
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parent / "startup"), *([str(overlay.folder)] if overlay.folder else []),
             *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    })  # fmt: skip
    say(f"thread limits: {', '.join(f'{name}={value}' for name, value in limits.items() if name in _SHOWN_LIMITS)}")
    if lost:
        say(f"note: too long for the environment, and left out of it: {', '.join(sorted(lost))}")
    say(shown_command(["python", *request.script.command(), *args]))
    memory = memory_group()
    watch = Watch(memory=memory, alone=True)
    command = [sys.executable, *request.script.command(), *args]
    try:
        process = SupervisedProcess(command, cwd=request.workspace, environment=environment, watch=watch, name="script")
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        raise UsageError(f"the arguments of script {request.script.given} are longer than the system allows",
                         "put long values into a file of the workspace, and pass its path") from error  # fmt: skip
    with process as child:
        ended = child.wait()
    for name in ended.left_behind:
        say(f"note: ended a process that the script left behind: {name}")
    if ended.code != 0 or ended.stopped_at_memory:
        raise failure(request.script.given, ended, memory.limit if memory else 0)
    say(f"the script ended after {duration(ended.seconds)}, memory {size(ended.peak_memory)} at most")
    return ended


def _results(request: Request, outputs: Outputs, fresh: Path) -> Results:
    """Takes the files before anything looks into them: where a pod was lost, its script may be writing still."""
    model = outputs.find(MODEL_FILE, request.model_file)
    metrics_file = outputs.find(METRICS_FILE, request.metrics_file)
    if extra := outputs.not_taken([model.file, metrics_file.file]):
        say(f"note: not part of the model directory: {', '.join(extra[:10])}")
    _take(model.file, fresh / "model", outputs.told)
    _take(metrics_file.file, fresh / METRICS, outputs.told)
    metrics, others = read_metrics(fresh / METRICS, metrics_file.name)
    if others:
        say(f"note: of {metrics_file.name} these are no finite numbers, and so no metrics: {', '.join(others[:10])}")
    return Results(fresh / "model", model, metrics)


def _material(request: Request, results: Results, overlay: Overlay, private: Path, fresh: Path) -> Material:
    beside = [results.found.file.with_name(f"input_example{suffix}") for suffix in (".json", ".csv")]
    example = request.input_example or next((file for file in beside if file.is_file()), None)
    return Material(
        request=request, model_file=results.model, shown_model=results.found.name, private=private, target=fresh,
        overlay=overlay.folder, input_example=example,
    )  # fmt: skip


def _check_onnx(request: Request, onnx: Onnx) -> None:
    if request.onnx == "require" and onnx.status != "proved":
        raise TaskError(f"onnx is require, but the model could not be converted: {onnx.reason}",
                        "use onnx: auto, or an estimator that converts")  # fmt: skip


def _take(file: Path, target: Path, told: Path) -> None:
    """Moves a file out of the folder that is deleted anyway, and copies any other."""
    if file.is_relative_to(told):
        os.replace(file, target)
    else:
        shutil.copyfile(file, target)
    target.chmod(0o664)


def _manifest(
    request: Request,
    source: Source,
    dataset: Dataset | None,
    results: Results,
    described: Described,
    file: str,
    fresh: Path,
) -> ModelManifest:
    description, proof = described.description, described.proof
    if description.environment is None:
        raise RuntimeError("the describer gave no environment")
    return ModelManifest(
        schema_version="1",
        files=file_entries(fresh),
        estimator=Estimator(
            class_name=description.class_name, file=file, format=description.format, original_name=results.found.name,
            task=description.task, project_globals=description.project_globals,
            package_globals=description.package_globals,
        ),
        signature=description.signature,
        signature_reason=description.signature_reason,
        metrics=results.metrics,
        dataset=dataset,
        source=source,
        run=TrainingRun(request.script.given, request.args, request.hyperparameters),
        environment=description.environment,
        onnx=proof.onnx,
        golden=GoldenSummary(description.golden_rows, proof.replays, _about_golden(description, proof)),
    )  # fmt: skip


def _about_golden(description: Description, proof: Proof) -> str:
    reasons = [proof.replay_reason if description.golden_rows else "", description.golden_reason]
    return "; ".join(reason for reason in reasons if reason)
