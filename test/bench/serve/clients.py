"""Other people's clients talk to our /v2: those of Triton, KServe and MLServer, each in an environment of its own.

    .venvs/tools/bin/python test/bench/serve/clients.py

Every client asks for golden rows of a model of numbers (M1) and, where it can, of one of mixed columns (M2), with its
own defaults, and must get the golden answers.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

REQUIREMENTS = {"triton": ["tritonclient[http]"], "kserve": [], "mlserver": []}
DATATYPES = {"number": "FP64", "integer": "INT64", "string": "BYTES", "boolean": "BOOL"}


def triton(url: str, columns: list[dict[str, Any]], rows: list[list[Any]]) -> dict[str, Any]:
    import numpy as np
    import tritonclient.http as http

    client = http.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("model")
    assert client.get_model_metadata("model")["name"] == "model"
    found = []
    for binary in (True, False):
        inputs = []
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            one = http.InferInput(column["name"], [len(rows)], DATATYPES[column["kind"]])
            array = np.array(values, object if column["kind"] == "string" else None)
            one.set_data_from_numpy(array, binary_data=binary)
            inputs.append(one)
        outputs = [http.InferRequestedOutput(name, binary_data=binary) for name in ("predict", "predict_proba")]
        for asked in (outputs, None):
            answer = client.infer("model", inputs, outputs=asked)
            labels = [
                label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("predict").tolist()
            ]
            found.append({"predictions": labels, "probabilities": answer.as_numpy("predict_proba").tolist()})
    assert all(one == found[0] for one in found)
    return found[0]


def kserve(url: str, columns: list[dict[str, Any]], rows: list[list[Any]]) -> dict[str, Any]:
    import numpy as np
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask() -> dict[str, Any]:
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1, timeout=20))
        assert await client.is_server_live(url)
        assert await client.is_model_ready(url, "model")
        found = []
        for binary in (True, False):
            inputs = []
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                one = InferInput(column["name"], [len(rows)], DATATYPES[column["kind"]])
                array = np.array(values, object if column["kind"] == "string" else None)
                one.set_data_from_numpy(array, binary_data=binary)
                inputs.append(one)
            answer = await client.infer(url, InferRequest("model", inputs), model_name="model")
            by_name = {output.name: output.as_numpy().tolist() for output in answer.outputs}
            found.append({"predictions": by_name["predict"], "probabilities": by_name["predict_proba"]})
        first = InferenceRESTClient(RESTConfig(protocol="v1", retries=1, timeout=20))
        answer = await first.infer(url, {"instances": rows}, model_name="model")
        assert answer["predictions"] == found[0]["predictions"]
        assert found[0] == found[1]
        return found[0]

    return asyncio.run(ask())


def mlserver(url: str, columns: list[dict[str, Any]], rows: list[list[Any]]) -> dict[str, Any]:
    import urllib.request

    import numpy as np
    from mlserver.codecs import NumpyCodec, StringCodec
    from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse

    described = MetadataModelResponse.model_validate_json(urllib.request.urlopen(f"{url}/v2/models/model").read())
    assert [one.name for one in described.inputs or ()] == [column["name"] for column in columns]
    codecs = {"string": StringCodec.encode_input}
    inputs = [codecs[column["kind"]](column["name"], list(values)) if column["kind"] in codecs
              else NumpyCodec.encode_input(column["name"], np.array(values))
              for column, values in zip(columns, zip(*rows, strict=True), strict=True)]  # fmt: skip
    body = InferenceRequest(inputs=inputs).model_dump_json(exclude_none=True).encode()
    request = urllib.request.Request(f"{url}/v2/models/model/infer", body, {"Content-Type": "application/json"})
    answer = InferenceResponse.model_validate_json(urllib.request.urlopen(request).read())
    by_name = {output.name: output for output in answer.outputs}
    labels, chances = by_name["predict"], by_name["predict_proba"]
    decoded = (
        StringCodec.decode_output(labels) if labels.datatype == "BYTES" else NumpyCodec.decode_output(labels).tolist()
    )
    return {"predictions": decoded, "probabilities": NumpyCodec.decode_output(chances).tolist()}


def main() -> int:
    from contestants import PEERS, ROOT, free_port, make_peer, train
    from robust import serving

    sys.path.insert(0, str(ROOT / "scripts"))
    from catalog.environments import uv

    failed = 0
    for name, requirements in REQUIREMENTS.items():
        python = PEERS / name / "bin" / "python"
        if not python.exists() and not requirements:
            make_peer(name, "1.9.1")
        elif not python.exists():
            uv("venv", "--quiet", "--clear", "--python", sys.executable, PEERS / name)
            uv("pip", "install", "--quiet", "--python", python, *requirements)
    for model_name in ("M1", "M2"):
        model, port = train(PEERS / "models", model_name), free_port()
        golden = json.loads((model.folder / "golden.json").read_text())
        asked = {"columns": model.columns, "rows": [list(row) for row in model.rows]}
        with tempfile.TemporaryFile() as log, serving(model, port, log):
            for name in REQUIREMENTS:
                command = [PEERS / name / "bin" / "python", __file__, name, f"http://127.0.0.1:{port}"]
                done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
                said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
                answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
                right = answer.get("predictions") == golden["predictions"] and _close(answer, golden)
                failed += not right
                print(f"{model_name} {name}: {'golden answers' if right else f'FAILED: {said}'}", flush=True)
    return 3 if failed else 0


def _close(answer: dict[str, Any], golden: dict[str, Any]) -> bool:
    pairs = zip(answer["probabilities"], golden["probabilities"], strict=True)
    return all(
        abs(one - other) < golden["relative_tolerance"] for row in pairs for one, other in zip(*row, strict=True)
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(main())
    given = json.load(sys.stdin)
    print(json.dumps({"triton": triton, "kserve": kserve, "mlserver": mlserver}[sys.argv[1]](sys.argv[2], **given)))
