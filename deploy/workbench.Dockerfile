# Screens and demos: no database, no models.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir uv==0.13.9
# Compiled here, for nothing can be written where the root is read-only: every start would compile it anew.
COPY deploy/requirements/workbench.txt requirements.txt
RUN /venv/bin/uv pip install --python /venv/bin/python --no-cache --compile-bytecode --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY ner ner
COPY registry registry
COPY annotation annotation
COPY dashboards dashboards
COPY training training
COPY api api
COPY workbench workbench
RUN /venv/bin/uv pip install --python /venv/bin/python --no-cache --compile-bytecode --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home ner && mkdir /state && chown ner /state
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 NER_HOME=/state NER_HOST=0.0.0.0
USER 10001:10001
WORKDIR /home/ner
VOLUME /state
EXPOSE 8000
CMD ["python", "-m", "workbench.screens"]
