"""Serves a model directory over HTTP. Rooms, from the outside in:

command           options, exit codes, one-line errors
serving           uvicorn, signals, draining
front             the lean ASGI callable: probes, /predict, /v2 infer; everything else goes to `application`
application       the FastAPI application: metadata, documentation, errors of unknown paths
row_protocol      the body of /predict, to rows and back
tensor_protocol   the body of /v2 infer, to rows and back
row_reading       values of JSON to checked rows, by the signature
engine            rows to answers
loading           a checked model directory to an engine, with its golden rows replayed
checked_files     a model directory with its digests checked
user_application  handing over to the user's own ASGI application
trail             from the image back to report, metrics, data, commit
"""

__version__ = "0.1.0"
