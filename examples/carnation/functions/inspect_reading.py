"""Refuses a reading as often as its number says: 5 and 10 never, 1 and 6 once, 4 and 9 four times."""


class Refused(Exception):
    pass


def handler(event, context):
    if event["failures"] < event["number"] % 5:
        raise Refused(f"reading {event['number']}, refusal {event['failures'] + 1}")
    return {"number": event["number"], "value": event["number"] ** 2, "failures": event["failures"]}
