"""What a team writes first: read from Redis, answer message by message or not at all, write and acknowledge."""

from __future__ import annotations

import json
import sys

import redis


def main() -> None:
    """`redis_loop.py RAW SCORED COUNT [MODEL]`: without a model the message is passed on."""
    raw, scored, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    model = None
    if len(sys.argv) > 4:
        import cauce

        model = cauce.load(sys.argv[4])
        model.warm_up()
    client = redis.Redis()
    client.xgroup_create(raw, "loop", id="0", mkstream=True)
    done = 0
    while done < count:
        ((_, entries),) = client.xreadgroup("loop", "one", {raw: ">"}, count=2000, block=1000)
        with client.pipeline(transaction=True) as together:
            for place, fields in entries:
                message = json.loads(fields[b"data"])
                if model is not None:
                    answer = model.predict([message["text"]])[0]
                    message |= {"label": answer.label, "score": answer.score, "scores": answer.scores}
                together.xadd(scored, {"data": json.dumps(message)})
                together.xack(raw, "loop", place)
            together.execute()
        done += len(entries)


if __name__ == "__main__":
    main()
