"""What breaks between two versions of an event's JSON Schema; an event may only gain optional fields.

Both directions count: events of last year must be readable by the code of today, and events of today by a
service that has not been updated yet.
"""

from typing import Any

Schema = dict[str, Any]

_WORDS_FOR_PEOPLE = ("title", "description", "default", "examples")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Sentences that name what broke; an empty list means that the new version may replace the old one."""
    return list(_compare(_resolve(old, old), _resolve(new, new), "event"))


def _resolve(schema: Any, root: Schema) -> Any:
    """Puts definitions in the place of references and leaves out what is for people only."""
    if isinstance(schema, list):
        return [_resolve(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _resolve(root["$defs"][reference.rsplit("/", 1)[-1]], root)
    kept = {key: value for key, value in schema.items() if key != "$defs"}
    if not isinstance(kept.get("properties"), dict):
        return {key: _resolve(value, root) for key, value in kept.items() if key not in _WORDS_FOR_PEOPLE}
    properties = {name: _resolve(value, root) for name, value in kept.pop("properties").items()}
    rest = {key: _resolve(value, root) for key, value in kept.items() if key not in _WORDS_FOR_PEOPLE}
    return rest | {"properties": properties}


def _compare(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict) and "properties" in old and "properties" in new:
        return _compare_objects(old, new, path)
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [line for key in old for line in _compare(old[key], new[key], f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for n, pair in enumerate(zip(old, new, strict=True)) for line in _compare(*pair, f"{path}[{n}]")]
    return [] if old == new else [f"{path} was {old!r} and is {new!r}"]


def _compare_objects(old: Schema, new: Schema, path: str) -> list[str]:
    before, after = old["properties"], new["properties"]
    must_before, must_after = set(old.get("required", ())), set(new.get("required", ()))
    lines = [f"{path}.{name} was removed" for name in before.keys() - after.keys()]
    lines += [f"{path}.{name} is new and required" for name in (after.keys() - before.keys()) & must_after]
    lines += [f"{path}.{name} has become required" for name in (must_after - must_before) & before.keys()]
    lines += [f"{path}.{name} is not required any more" for name in (must_before - must_after) & after.keys()]
    for name in sorted(before.keys() & after.keys()):
        lines += _compare(before[name], after[name], f"{path}.{name}")
    rest_before = {k: v for k, v in old.items() if k not in ("properties", "required")}
    rest_after = {k: v for k, v in new.items() if k not in ("properties", "required")}
    return lines + ([] if rest_before == rest_after else [f"{path} itself changed"])
