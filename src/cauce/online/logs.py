"""What the server says while it works: a line for each event on stderr, as text or as JSON.

Nothing of a request is ever in a line but its id: no text, no header, no token. So an error is named by its type and its place
in the code: its message may hold a text.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

Format = Literal["text", "json"]
DEEPEST = 5  # places in the code that are named


def configure(form: Format) -> None:
    """Send all logging of this process to stderr."""
    said: list[Any] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _error,
    ]
    written: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _text
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=said, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, written]
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _error(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """An exception by its type and where it was raised."""
    if caught := event.pop("exc_info", None):
        kind, _, place = caught
        event["error"] = kind.__name__
        event["at"] = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in traceback.extract_tb(place)[-DEEPEST:]]
    return event


def _text(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """A line for people."""
    time, level, what = (event.pop(name) for name in ("time", "level", "event"))
    more = "".join(f" {name}={value}" for name, value in event.items())
    return f"{time[:19]}Z {level} {what}{more}".replace("\n", "\\n")
