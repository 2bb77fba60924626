"""The units that households measure in, with their plural; a unit that is not listed is written as it came."""


def forms(context: str, one: str, many: str) -> tuple[str, str, str]:
    """A message for translators, that is only looked up later."""
    return context, one, many


UNITS = {
    "kg": forms("unit", "%(number)s kg", "%(number)s kg"),
    "yến": forms("unit: 10 kg", "%(number)s yến", "%(number)s yến"),
    "tạ": forms("unit: 100 kg", "%(number)s quintal", "%(number)s quintals"),
    "tấn": forms("unit: 1000 kg", "%(number)s tonne", "%(number)s tonnes"),
    "bó": forms("unit: tied (bó)", "%(number)s bunch", "%(number)s bunches"),
    "mớ": forms("unit: loose (mớ)", "%(number)s bundle", "%(number)s bundles"),
    "túi": forms("unit: túi", "%(number)s bag", "%(number)s bags"),
    "hộp": forms("unit: hộp", "%(number)s box", "%(number)s boxes"),
    "thùng": forms("unit: thùng", "%(number)s carton", "%(number)s cartons"),
    "khay": forms("unit: khay", "%(number)s tray", "%(number)s trays"),
    "sọt": forms("unit: sọt", "%(number)s crate", "%(number)s crates"),
    "quả": forms("unit: one fruit (quả)", "%(number)s piece", "%(number)s pieces"),
    "cây": forms("unit: one plant (cây)", "%(number)s plant", "%(number)s plants"),
    "chai": forms("unit: chai", "%(number)s bottle", "%(number)s bottles"),
    "lọ": forms("unit: lọ", "%(number)s jar", "%(number)s jars"),
}
"""By the Vietnamese word, in small letters."""
