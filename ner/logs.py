"""One log format for every process: a JSON object per line, in ECS field names, identifiers of people masked."""

import datetime as dt
import json
import logging
import sys

from ner.masking import masked


class _EcsFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "@timestamp": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "log.level": record.levelname.lower(),
            "message": masked(record.getMessage()),
            "log.logger": record.name,
            "process.name": self._process,
            "service.name": "ner-workbench",
            "ecs.version": "8.11.0",
        }
        if record.exc_info:
            line["error.stack_trace"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logs(process: str, level: str = "INFO") -> None:
    """Send every logger of this process to stderr as JSON lines. Call it once, at the door."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_EcsFormatter(process))
    logging.basicConfig(level=level, handlers=[stream], force=True)
