# A Python image in which the recipe's own `pip install` finds everything there. Build context: project/.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt /
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=certificates \
    PIP_CONFIG_FILE=/run/secrets/pip.conf pip install --no-cache-dir -r /requirements.txt
