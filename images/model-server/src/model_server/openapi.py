from typing import Any
def openapi_document(loaded: Any, metadata: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": metadata.name, "version": metadata.version}, "paths": {}}
