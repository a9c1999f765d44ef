"""The FastAPI application behind the lean paths: metadata of the model, documentation, and errors of unknown paths."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from model_server import __version__
from model_server.loading import LoadedModel
from model_server.openapi import openapi_document
from model_server.tensor_metadata import ModelMetadata

READING = ["GET", "HEAD"]
SERVER_NAME = "sklearn-catalog-model-server"


def framework_application(loaded: LoadedModel, metadata: ModelMetadata) -> FastAPI:
    application = FastAPI(title=metadata.name, version=metadata.version, docs_url=None, redoc_url=None)
    document = openapi_document(loaded, metadata)
    application.openapi = lambda: document  # type: ignore[method-assign]

    @application.api_route("/v2", methods=READING)
    async def server() -> dict[str, Any]:
        return {"name": SERVER_NAME, "version": __version__, "extensions": ["binary_tensor_data"]}

    @application.api_route("/v2/models", methods=READING)
    async def models() -> dict[str, Any]:
        return {"models": [metadata.name]}

    @application.api_route("/v2/models/{name}", methods=READING)
    async def model(name: str) -> dict[str, Any]:
        _known(metadata, name)
        return metadata.document()

    @application.api_route("/v2/models/{name}/versions/{version}", methods=READING)
    async def model_version(name: str, version: str) -> dict[str, Any]:
        _known(metadata, name, version)
        return metadata.document()

    # For the model itself these are lean paths; what arrives here names another model or another version.
    @application.post("/v2/models/{name}/infer")
    @application.get("/v2/models/{name}/ready")
    async def other_model(name: str) -> None:
        _known(metadata, name)

    @application.post("/v2/models/{name}/versions/{version}/infer")
    @application.get("/v2/models/{name}/versions/{version}/ready")
    async def other_version(name: str, version: str) -> None:
        _known(metadata, name, version)

    @application.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        detail, headers = error.detail, dict(error.headers or {})
        if error.status_code == 404 and detail == "Not Found":
            detail = f"there is no {request.url.path}; see /docs"
        if error.status_code == 405:
            allowed = headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))  # Starlette's is a set
            detail = f"{request.url.path} takes {allowed}, not {request.method}"
        return JSONResponse({"error": detail}, error.status_code, headers)

    return application


def _known(metadata: ModelMetadata, name: str, version: str | None = None) -> None:
    """Raises HTTPException (404) that names what there is."""
    if name != metadata.name:
        raise HTTPException(404, f"there is no model '{name}'; this server has '{metadata.name}'")
    if version is not None and version not in metadata.known_versions:
        raise HTTPException(404, f"model '{name}' has no version '{version}'; it has '{metadata.version}'")
