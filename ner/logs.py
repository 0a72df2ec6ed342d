"""One log format for every process: a JSON object per line, in ECS field names, identifiers of people masked."""

import datetime as dt
import json
import logging
import sys
from types import TracebackType

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


def _write_down(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger(__name__).critical("The process ends: nobody caught an error.", exc_info=(kind, error, trace))


def configure_logs(process: str, level: str = "INFO") -> None:
    """Send every logger of this process to stderr as JSON lines, and what ends it too. Call it once, at the door."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_EcsFormatter(process))
    logging.basicConfig(level=level, handlers=[stream], force=True)
    sys.excepthook = _write_down
    # They write down every address that is called, and some addresses are secrets.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
