"""The plain loop on NATS: read, pass on, acknowledge, a thousand at a time. `nats_loop.py RAW SCORED COUNT`."""

from __future__ import annotations

import asyncio
import json
import sys

import nats

SCARCE = 1000  # messages in one pull


async def main() -> None:
    """Pass messages on."""
    raw, scored, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    client = await nats.connect("nats://127.0.0.1:4222")
    stream = client.jetstream(publish_async_max_pending=4 * SCARCE)
    await stream.add_stream(name=scored.replace(".", "_"), subjects=[scored])
    reader = await stream.pull_subscribe(raw, "loop")
    done = 0
    while done < count:
        messages = await reader.fetch(min(SCARCE, count - done), timeout=5)
        texts = [json.dumps(json.loads(one.data)).encode() for one in messages]
        heads = [{"Nats-Msg-Id": one.reply} for one in messages]
        pairs = zip(texts, heads, strict=True)
        sent = [await stream.publish_async(scored, text, headers=head) for text, head in pairs]
        await asyncio.gather(*sent)
        for one in messages:
            await one.ack()
        done += len(messages)
    await client.flush()
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
