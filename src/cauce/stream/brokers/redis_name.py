"""The name of a worker in a Redis group, which one worker has at a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from cauce.errors import InUse

LOOK = 0.1  # seconds between two looks at whoever has it
# KEYS name · ARGV token, milliseconds. 0: another has it.
RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class Name:
    """A key that expires where nobody renews it.

    Args:
        call: runs a command; waits for a server that is gone.
        seconds: after which a name that was not renewed is free.

    Raises:
        InUse: a worker that lives has it. One that died does not renew it: then its name is waited for.

    """

    def __init__(self, call: Callable[..., Any], client: Any, key: str, name: str, seconds: float) -> None:
        self._client, self._key, self._name, self._milliseconds = client, key, name, int(seconds * 1000)
        self._token = secrets.token_hex(16)
        left = self._milliseconds
        while not call(client.set, key, self._token, nx=True, px=self._milliseconds):
            before, left = left, call(client.pttl, key)
            if left > before:
                raise self.taken
            time.sleep(LOOK)
        self.lost = False

    @property
    def taken(self) -> InUse:
        """What is to be said where another worker has it."""
        return InUse(f"another worker has the name {self._name}", hint="give each its own --worker-name, or none")

    def renew(self) -> None:
        """Have it for longer. It is `lost` where this worker stood still for so long that another took it."""
        renewed = self._client.eval(RENEW, 1, self._key, self._token, self._milliseconds)
        self.lost = self.lost or not renewed

    def release(self) -> None:
        """Let the next one have it at once."""
        self._client.eval(RELEASE, 1, self._key, self._token)
