# Two temperatures of a furnace from four valves. numpy only, no column names anywhere.
import json
import sys

import joblib
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error

source, model_file, metrics_file = sys.argv[1:4]
table = np.genfromtxt(source, delimiter=",", skip_header=1)
valves, temperatures = table[:, :4], table[:, 4:]

model = LinearRegression()
model.fit(valves[:60], temperatures[:60])
joblib.dump(model, model_file)

error = mean_absolute_error(temperatures[60:], model.predict(valves[60:]))
json.dump({"mean_absolute_error": error}, open(metrics_file, "w"))
