"""ONNX Runtime behind Starlette with nothing else: no validation, no error answers, no metrics, no request ids.

Not a contender but a mark: what the libraries give to whoever leaves everything else out. ``uvicorn bare_onnx:app``.
"""

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

folder = Path(os.environ["MODEL_DIR"])
columns = [one["name"] for one in json.loads((folder / "model.json").read_text())["signature"]["columns"]]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
DTYPES = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(string)": np.object_,
    "tensor(int64)": np.int64,
}
inputs = [(one.name, DTYPES[one.type]) for one in session.get_inputs()]
decode, encode = msgspec.json.decode, msgspec.json.encode


async def predict(request):
    row = decode(await request.body())
    if len(inputs) == 1:
        feed = {inputs[0][0]: np.array([[row[name] for name in columns]], inputs[0][1])}
    else:
        feed = {name: np.array([[row[name]]], dtype) for name, dtype in inputs}
    label, probabilities = session.run(None, feed)
    answer = {"prediction": label.tolist()[0], "probabilities": probabilities.tolist()[0]}
    return Response(encode(answer), media_type="application/json")


async def health(request):
    return Response(b"{}", media_type="application/json")


app = Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/health", health)])
