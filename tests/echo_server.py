"""A server as `cauce serve` starts it, around an echo that can be told to be slow: `serving(echo={…})` runs it."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass
from typing import Any

from cauce.model.model import echo_model
from cauce.online import logs, server
from cauce.online.metrics import Metrics
from cauce.online.served import Served
from cauce.runtimes.base import Output
from cauce.runtimes.echo import Echo, Texts
from cauce.settings import Serve, read


@dataclass(frozen=True)
class Dawdling(Echo):
    """An echo whose calls take `seconds` where a text holds "slow"."""

    seconds: float = 0.0

    def forward(self, encoded: Texts, output: Output = "logits") -> Any:
        if any("slow" in text for text in encoded.texts):
            time.sleep(self.seconds)
        return super().forward(encoded, output)


if __name__ == "__main__":
    settings, metrics = read(Serve, port=0), Metrics()
    logs.configure(settings.log_format)
    served = Served(echo_model(Dawdling(**json.loads(sys.argv[1]))), seen=metrics.seen)
    sockets = server.bind(settings)
    served.load()
    server.run([served], settings, metrics, sockets, lambda at: logging.getLogger("cauce.online").info("listening on %s", at))
