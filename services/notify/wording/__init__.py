"""What notices say and how: catalogues for translators, templates, the short form for SMS, and pictures."""

from services.notify.wording.catalogues import LANGUAGES
from services.notify.wording.worded import to_say, word

__all__ = ["LANGUAGES", "to_say", "word"]
