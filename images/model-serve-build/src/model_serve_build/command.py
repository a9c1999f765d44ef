"""The command line of model-serve-build."""

from __future__ import annotations

from model_serve_build import __version__
from taskkit.command_line import Arguments, ErrorKind, Option, Outcome, Program, Result, run, say

PROGRAM = Program(
    name="model-serve-build",
    summary="Puts an approved model on top of a serving image by adding layers: no daemon, no root, nothing unpacked.",
    version=__version__,
    options=(
        Option("model-dir", "directory in the workspace that sklearn-train wrote", "model"),
        Option("report-dir", "directory in the workspace that metric-gate wrote", "gate"),
        Option("approval", "metric-gate's result 'approval'; it is empty when the gate refused", required=True),
        Option("image", "where the image goes: registry/repository:tag or oci-layout:path[:tag]; "
               "{commit}, {short-commit} and {model-digest} are filled in", required=True),
        Option("runtime", "what answers in the image: sklearn, onnx (without scikit-learn), or auto: onnx where "
               "training proved model.onnx equal", "auto", choices=("auto", "onnx", "sklearn")),
        Option("base-image", "the serving image with scikit-learn to build on, by reference or as oci-layout:path; "
               "empty for an image of the model alone",
               "ghcr.io/sklearn-catalog/model-server:0.1.0", allows_empty=True),
        Option("base-image-onnx", "the serving image for the runtime onnx, likewise; empty: base-image",
               "ghcr.io/sklearn-catalog/model-server-onnx:0.1.0", allows_empty=True),
        Option("app", "your own ASGI application to serve instead, as FILE.py:NAME, for example src/serve.py:app"),
        Option("model-name", "the model's name when it is served; by default the last part of the image's repository"),
        Option("on-existing-tag", "when the tag is there with another image: fail, keep it and end well, or move it",
               "fail", choices=("fail", "keep", "move")),
        Option("insecure-registries", "registries (host[:port]) reached by plain HTTP; "
               "loopback and private addresses are tried so by themselves", ()),
        Option("dockerconfig", "folder with config.json or .dockerconfigjson for the registry; else $HOME/.docker",
               workspace=True),
        Option("ssl-ca-directory", "folder with certificates of private authorities (PEM)", workspace=True),
    ),
    results=(
        Result("IMAGE_URL", "the image's reference with its tag, without its digest"),
        Result("IMAGE_DIGEST", "the digest of the image's manifest or index"),
        Result("image", "reference@digest: what to deploy"),
        Result("model-digest", "the digest of the model in the image; empty where on-existing-tag kept another image"),
    ),
    errors=(
        ErrorKind(2, "--approval is required", "the gate refused, or its result 'approval' is not wired to the param"),
        ErrorKind(2, "image … asks for {commit}", "the model was not trained in a git checkout; use {model-digest}"),
        ErrorKind(3, "approval … is the model's digest, not an approval", "wire metric-gate's result instead"),
        ErrorKind(3, "… has digest …, but the approval is …", "the report changed after the gate; run the gate again"),
        ErrorKind(3, "… has sha256 …, but model.json says …", "a file changed after training; train again"),
        ErrorKind(3, "base image … does not fit the model", "give the base of the training image's version"),
        ErrorKind(3, "runtime is 'onnx', but …", "set runtime to auto, or train with onnx: require"),
        ErrorKind(3, "… names … at byte …, which is not allowed", "the file holds what no estimator needs"),
        ErrorKind(3, "… is there already with digest …", "give another tag, or set on-existing-tag"),
        ErrorKind(3, "… refused the credentials", "give the workspace dockerconfig an account that may push"),
        ErrorKind(10, "… has the verdict 'fail'", "train a better model, or use the gate's override"),
    ),
)  # fmt: skip


def work(arguments: Arguments) -> Outcome:
    from pathlib import Path
    from typing import cast

    from model_serve_build.build import Request, build
    from model_serve_build.runtime import Asked
    from model_serve_build.summary import summary
    from taskkit.oci.publishing import OnExistingTag

    built = build(Request(
        workspace=Path.cwd(),
        model_dir=arguments["model-dir"],
        report_dir=arguments["report-dir"],
        approval=arguments["approval"],
        image=arguments["image"],
        runtime=cast("Asked", arguments["runtime"]),
        base_image=arguments["base-image"],
        base_image_onnx=arguments["base-image-onnx"],
        app=arguments["app"],
        model_name=arguments["model-name"],
        on_existing_tag=cast("OnExistingTag", arguments["on-existing-tag"]),
        insecure_registries=arguments.array("insecure-registries"),
        docker_config=Path(arguments["dockerconfig"]) if arguments["dockerconfig"] else None,
        ca_directory=Path(arguments["ssl-ca-directory"]) if arguments["ssl-ca-directory"] else None,
    ))  # fmt: skip
    for warning in built.warnings:
        say(f"warning: {warning}")
    for line in summary(built):
        say(line)
    digest = built.published.digest
    return Outcome(
        {
            "IMAGE_URL": str(built.reference),
            "IMAGE_DIGEST": digest,
            "image": f"{built.reference}@{digest}",
            # With on-existing-tag=keep the image that stays may hold another model.
            "model-digest": "" if built.published.kept else built.model.model_digest,
        }
    )


def main() -> int:
    return run(PROGRAM, work)
