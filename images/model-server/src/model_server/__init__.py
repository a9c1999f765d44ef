"""Serves a model directory over HTTP. Rooms, from the outside in:

command           options, exit codes, one-line errors
serving           uvicorn, signals, draining
lean_protocol     HTTP for the paths that matter, without ASGI; limits on headers and slow clients
upgrades          requests that offer another protocol keep their body
front             which path is answered by what; the same as an ASGI callable
application       the FastAPI application: metadata, documentation, errors of unknown paths
answering         the queue: what waits goes to the model together, on the event loop or in threads
busy_polling      no sleep while the only client asks at once
measured_pace     how this model is best asked, measured when it is loaded
metrics           counters for Prometheus
freed_memory      batches find their memory where the last one left it
exchange          what a protocol is: a body to rows, answers to a body
row_protocol      the body of /predict
tensor_protocol   the body of /v2 infer; binary_tensors reads and writes data in bytes behind the JSON
typed_rows        bodies of /predict decoded straight to checked rows; row_reading reads what is left, value by value
plain_tensors     tensors that are plainly what the model takes; plain_columns checks others a column at a time,
                  row_reading reads what is left
engine            rows to answers: onnx_engine, estimator_engine
loading           a checked model directory to an engine, with its golden rows replayed
late_model        waiting for a model that comes after the server
checked_files     a model directory with its digests checked
user_application  handing over to the user's own ASGI application
trail             from the image back to report, metrics, data, commit
"""

__version__ = "0.1.0"
