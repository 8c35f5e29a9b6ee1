"""`webhook:`: results are posted to somebody's server, signed as Standard Webhooks say, again and again until it has them."""

from __future__ import annotations

import base64
import hmac
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from urllib.parse import urlunsplit

import httpx2

from cauce.errors import AccessDenied, BodyTooLarge, BrokerGone, InputError
from cauce.stream.contract import AtOnce
from cauce.stream.patience import Patience
from cauce.stream.records import Records
from cauce.stream.schemes import Opening, Place, Scheme

ROWS, BYTES = 500, 500_000  # of results in one body at most
SECRET = 24  # bytes of a secret at least
TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
READ, READ_SECONDS = 1 << 16, 5.0  # of an answer's body at most: read to the end, it leaves the connection for the next
LATER = (408, 425, 429)
FORM = "webhook:https://host/path"


class Hook:
    """Posts JSON to one address, signed. A body may come twice, with one `webhook-id`: its first answer may have been lost.

    Args:
        url: of http or https. Its password and path are in no message.
        secret: `whsec_` and base64; without one nothing is signed.

    Raises:
        InputError: the URL or the secret is none.

    """

    def __init__(self, url: str, secret: str | None, patience: Patience) -> None:
        self._patience = patience
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise InputError("cannot read the address of the webhook", hint=f"write it as {FORM}") from None
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise InputError("the address of the webhook names no server", hint=f"write it as {FORM}")
        port = f":{self._url.port}" if self._url.port else ""
        self._name = f"{self._url.scheme}://{self._url.host}{port}"
        self._secret = None if secret is None else _decoded(secret)
        if secret is None:
            patience.tell(f"what {self._name} is sent is not signed: set CAUCE_STREAM_WEBHOOK_SECRET to sign it")
        self._http = httpx2.Client(timeout=TIMEOUT)

    def send(self, body: bytes, message_id: str) -> None:
        """Post, until the receiver takes it.

        Args:
            message_id: the same for a body that is sent again, so that the receiver can leave it out.

        Raises:
            BrokerGone: it was not taken, for longer than `patience` waits.
            AccessDenied, BodyTooLarge
            InputError: the receiver does not want it.

        """
        self._patience(lambda: self._post(body, message_id))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, body: bytes, message_id: str) -> None:
        try:
            with self._http.stream("POST", self._url, content=body, headers=self._headers(body, message_id)) as answer:
                _read(answer)
        except httpx2.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                hint = "name its own authority in SSL_CERT_FILE, if it has one"
                raise AccessDenied(f"the certificate of {self._name} is not trusted: {error}", hint=hint) from None
            told = str(error) or type(error).__name__
            raise BrokerGone(f"{self._name} takes nothing: {told}", hint="start it, or wait longer with --wait") from None
        self._judge(answer.status_code, answer.headers.get("retry-after", ""))

    def _judge(self, status: int, retry_after: str) -> None:
        if 200 <= status < 300:
            return
        answered = f"{self._name} answers {status}"
        if status in LATER or status >= 500:
            hint = "see to the receiver, or wait longer with --wait"
            raise BrokerGone(answered, retry_after=_seconds(retry_after), hint=hint)
        if status < 400:
            raise InputError(answered, hint="name the place that it leads to: a redirection is not followed")
        if status in (401, 403):
            raise AccessDenied(answered, hint="see to CAUCE_STREAM_WEBHOOK_SECRET, and to user and password in the address")
        if status == 413:
            raise BodyTooLarge(answered, hint="let the receiver take larger bodies")
        raise InputError(answered, hint="the receiver does not want what it is sent: its log may say why")

    def _headers(self, body: bytes, message_id: str) -> dict[str, str]:
        now = str(int(time.time()))
        headers = {"content-type": "application/json", "webhook-id": message_id, "webhook-timestamp": now}
        if self._secret is not None:
            signature = hmac.digest(self._secret, f"{message_id}.{now}.".encode() + body, "sha256")
            headers["webhook-signature"] = f"v1,{base64.b64encode(signature).decode()}"
        return headers


class Webhook(AtOnce):
    """Posts `{"results": [...]}`, a bounded number at a time; less where the receiver says that it is too much."""

    def __init__(self, hook: Hook) -> None:
        self._hook, self._bytes = hook, BYTES

    def write(self, records: Records) -> None:
        """Post them all."""
        keys, lines = records.keys.to_pylist(), records.lines.to_pylist()
        start = 0
        while start < len(lines):
            end = self._end(lines, start)
            body = b'{"results":[%b]}' % b",".join(lines[start:end])
            try:
                self._hook.send(body, _id_of(keys[start:end]))
            except BodyTooLarge:
                if end == start + 1:
                    raise
                self._bytes = len(body) // 2
            else:
                start = end

    def close(self) -> None:
        """Close the connections."""
        self._hook.close()

    def _end(self, lines: list[bytes], start: int) -> int:
        """Where the body that begins at `start` ends: it has one result at least."""
        end, size = start + 1, len(lines[start])
        while end < min(len(lines), start + ROWS) and (size := size + len(lines[end])) <= self._bytes:
            end += 1
        return end


def _decoded(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < SECRET:
        hint = 'make one: echo "whsec_$(openssl rand -base64 32)"'
        raise InputError(f"webhook_secret is not the base64 of {SECRET} bytes or more", hint=hint)
    return key


def _id_of(keys: list[str]) -> str:
    return f"msg_{blake2b(''.join(keys).encode(), digest_size=16).hexdigest()}"


def _read(answer: httpx2.Response) -> None:
    """Read what is left of an answer, within bounds: only its status counts."""
    size, end = 0, time.monotonic() + READ_SECONDS
    with suppress(httpx2.TransportError):
        for block in answer.iter_raw():
            size += len(block)
            if size > READ or time.monotonic() > end:
                break


def _seconds(retry_after: str) -> float:
    """Seconds of a `Retry-After`, which may be a date; 0 where it is neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _open(place: Place, opening: Opening) -> Webhook:
    secret = opening.settings.webhook_secret
    url = urlunsplit(place.url._replace(scheme=""))
    return Webhook(Hook(url, None if secret is None else secret.get_secret_value(), opening.patience))


SCHEME = Scheme(FORM, writes=None, sink=_open)
