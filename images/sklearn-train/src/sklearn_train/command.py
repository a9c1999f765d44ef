"""The command line of sklearn-train: options, results and errors as data, and the way into the work."""

from __future__ import annotations

from taskkit.command_line import Arguments, ErrorKind, Option, Outcome, Program, Result, run

DEFAULT_ARGS = ("--data-path", "{dataset}", "--model-path", "{model}", "--metrics-path", "{metrics}")

PROGRAM = Program(
    name="sklearn-train",
    summary="Runs a training script unchanged and writes a model directory that describes what came out.",
    version="0.1.0",
    options=(
        Option("script", "what to run: a path (src/train.py) or a module (package.train)", "src/train.py"),
        Option("dataset", "the data file, a path in the workspace; empty: the script finds its data itself"),
        Option("dataset-sha256", "the digest that the data file must have; empty: any"),
        Option("hyperparameters", "name=value pairs, passed on as --name value and in the environment", ()),
        Option("model-dir", "where the model directory is written, a path in the workspace", "model"),
        Option("model-file", "the file the script saves its model to, when it does not take a path for it"),
        Option("metrics-file", "the JSON file the script writes its metrics to, when it does not take a path for it"),
        Option("input-example", "a JSON or CSV file of example rows, for models whose fit can't be observed"),
        Option("golden", "rows that are replayed wherever the model is loaded: columns shuffled, real rows, or none",
               "shuffled", choices=("shuffled", "rows", "none")),
        Option("onnx", "add model.onnx where it is proved equal: auto; off; or require it", "auto",
               choices=("auto", "off", "require")),
        Option("requirements", "extra packages: requirement specifiers, or requirements files in the workspace", ()),
        Option("include", "files of the project to take along, for example a serve.py, or data that code reads", ()),
        Option("pip-config", "a folder with pip.conf, wheels, or both, for installing requirements", workspace=True),
        Option("args", "arguments of the script; {dataset}, {model}, {metrics} and {model-dir} are filled in",
               DEFAULT_ARGS, free=True),
    ),
    results=(
        Result("commit", "the git commit that the script ran from; empty where the workspace is no git checkout"),
        Result("model-digest", "sha256 of model.json, which covers every file of the model directory"),
        Result("dataset-sha256", "sha256 of the data file; empty without one"),
    ),
    errors=(
        ErrorKind(2, "a param is wrong: `--hyperparameters 'x'`, a path that leaves the workspace, …",
                  "the message says what it takes"),
        ErrorKind(3, "the script raised, ended with an exit code, or was killed",
                  "the message quotes its last line; the log above it is the script's own"),
        ErrorKind(3, "the script does not take the arguments it was given",
                  "pass the script's own arguments in `args`, or `args: []` for none"),
        ErrorKind(3, "the memory limit was near, and the script was stopped", "raise the limit, or train on less data"),
        ErrorKind(3, "no model, or several candidates, were found", "name the file in `model-file`"),
        ErrorKind(3, "no metrics, or several candidates, were found",
                  'let the script write a JSON object such as {"accuracy": 0.95} to `{metrics}`, or name the file in '
                  "`metrics-file`"),
        ErrorKind(3, "the model needs a class that is defined in the script itself (`__main__`)",
                  "move the class to a module of its own and import it"),
        ErrorKind(3, "the data file is missing, is a directory, or has another digest than `dataset-sha256`",
                  "mend the path, or pin the digest that the message shows if the data changed on purpose"),
        ErrorKind(3, "a requirement would replace the image's scikit-learn, numpy or scipy",
                  "drop the requirement, or use an image with that version"),
        ErrorKind(3, "the workspace is not writable, or is full", "the message says which directory and whose it is"),
    ),
)  # fmt: skip


def main() -> int:
    return run(PROGRAM, work)


def work(arguments: Arguments) -> Outcome:
    from sklearn_train.training import train

    return train(arguments)
