"""KServe's V1 protocol, which is Vertex AI's too: ``{"instances": [rows]}`` in, ``{"predictions": [answers]}`` out.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol and
https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
Both pass nothing on but ``predictions``. So whoever wants probabilities asks for them (``"parameters":
{"probabilities": true}``) and gets an object for each row.
"""

from __future__ import annotations

from typing import Any

import msgspec

from model_server.engine import Answers
from model_server.exchange import Asked
from model_server.refusals import Refusal, Reply, decoded
from model_server.row_protocol import RowProtocol
from taskkit.model_signature import Signature

_BESIDES = {"parameters", "signature_name"}


class InstanceProtocol:
    def __init__(self, signature: Signature, rows: RowProtocol) -> None:
        self._rows = rows
        self._probabilities = signature.outputs.probabilities
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
        self._encode = msgspec.json.Encoder().encode

    def read(self, body: bytes) -> Asked:
        """Raises Refusal."""
        if (rows := self._rows.typed_instances(body)) is not None:
            return Asked(rows, predictions=True, probabilities=False)
        document = decoded(body, self._decoder)
        if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
            raise Refusal(422, 'the body must be an object with a list of rows: {"instances": […]}')
        if other := sorted(document.keys() - _BESIDES - {"instances"}):
            raise Refusal(422, f"the body has the key '{other[0]}'; known are instances, parameters")
        wanted = self._wanted(document.get("parameters"))
        return Asked(self._rows.rows_of(document["instances"]), predictions=True, probabilities=wanted, context=wanted)

    def write(self, asked: Asked, answers: Answers) -> Reply:
        given: list[Any] | None = answers.predictions
        if asked.context:
            given = [{"prediction": one, "probabilities": chances} for one, chances in
                     zip(answers.predictions or (), answers.probabilities or (), strict=True)]  # fmt: skip
        return Reply(200, b'{"predictions":%b}' % self._encode(given), predictions=answers.predictions)

    def _wanted(self, parameters: Any) -> bool:
        if parameters is None:
            return False
        if not isinstance(parameters, dict):
            raise Refusal(422, "parameters must be an object")
        wanted = parameters.get("probabilities")
        if wanted is None:
            return False
        if not isinstance(wanted, bool):
            raise Refusal(422, "the parameter probabilities must be true or false")
        if wanted and not self._probabilities:
            raise Refusal(422, "the model gives no probabilities")
        return wanted
