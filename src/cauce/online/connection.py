"""A connection to the server: who sends too large a head is told so in the server's own form."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cauce import connection
from cauce.connection import MOST_HEAD
from cauce.errors import HeadTooLarge
from cauce.online.protocols.native import problem


class Connection(connection.Connection):
    """One that answers 431."""

    def answer_large_head(self) -> None:
        """A problem document."""
        hint = "send fewer and shorter headers, and long texts in the body"
        answer = problem(HeadTooLarge(f"the head of the request is larger than {MOST_HEAD} bytes", hint=hint), "")
        headers = f"content-type: {answer.media_type}\r\ncontent-length: {len(answer.body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[answer.status] + headers.encode() + answer.body)
        self.transport.write_eof()  # to close at once would take the answer from who is still sending
