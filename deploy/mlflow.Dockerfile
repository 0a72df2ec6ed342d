# MLflow's own server, with the drivers for PostgreSQL and S3.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir uv==0.13.9
# Compiled here, for nothing can be written where the root is read-only: every start would compile it anew.
COPY deploy/requirements/mlflow.txt requirements.txt
RUN /venv/bin/uv pip install --python /venv/bin/python --no-cache --compile-bytecode --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home ner
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/ner
EXPOSE 5000
# Everything is under the gateway's path: programs call http://mlflow:5000/mlflow.
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--static-prefix", "/mlflow", "--allowed-hosts", "mlflow:5000,localhost"]
