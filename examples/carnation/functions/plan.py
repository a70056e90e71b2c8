"""What a run has to do: the readings that it is asked for, and those that an earlier run has left in the queue."""

import json

GIVE_UP_AFTER = 3


def handler(event, context):
    kept = [reading for message in event.get("messages", []) for reading in json.loads(message["Body"])]
    new = [{"number": n, "failures": 0} for n in range(event["first"], event["last"] + 1)] if event["last"] else []
    return {
        "work": [r for r in kept if r["failures"] < GIVE_UP_AFTER] + new,
        "dead": [r for r in kept if r["failures"] >= GIVE_UP_AFTER],
    }
