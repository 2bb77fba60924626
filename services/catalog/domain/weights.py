"""What a step weighs: known where the unit is one of weight, or where staff say so."""

from services.catalog.domain.values import Faulty

_GRAMS = {"g": 1, "kg": 1000}


def resolve_step_grams(unit: str, step_milliunits: int, given: int | None) -> int | None:
    """The weight of one step in whole grams; None where none is known. Raises Faulty if `given` is not what it is."""
    grams_per_unit = _GRAMS.get(unit)
    if grams_per_unit is None:
        return given
    whole, rest = divmod(step_milliunits * grams_per_unit, 1000)
    weight = None if rest else whole
    if given is not None and given != weight:
        exact = f"{whole}.{rest:03}" if rest else f"{whole}"
        raise Faulty([("step_grams", f"contradicts the unit: a step weighs {exact} g")])
    return weight
