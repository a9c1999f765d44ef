"""KServe's server with a model that does what its sklearnserver does: rows in, ``predict`` out. Its own process, in an
environment of its own; kserve is on PyPI, the sklearnserver built on it is not."""

import os
import pathlib

import joblib
import kserve
import numpy as np
import pandas as pd


class Served(kserve.Model):
    def load(self):
        self.estimator = joblib.load(pathlib.Path(os.environ["MODEL_DIR"], "model.pkl"))
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None):
        instances = payload["instances"]
        rows = pd.DataFrame(instances) if isinstance(instances[0], dict) else np.array(instances)
        return {"predictions": self.estimator.predict(rows).tolist()}


if __name__ == "__main__":
    model = Served("model")
    model.load()
    kserve.ModelServer(http_port=int(os.environ["HTTP_PORT"]), enable_grpc=False, workers=1).start([model])
