class Blurred(Exception):
    """The photograph cannot be graded."""


def handler(photo, context):
    if photo["sharpness"] < 0.3:
        raise Blurred(photo["name"])
    return {"name": photo["name"], "grade": round(photo["sharpness"] * 10)}
