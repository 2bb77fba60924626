"""Words of thin pushes that are stored: platforms' own numbers, and what else is one word."""

from typing import Annotated

from pydantic import Field

Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,100}$")]
Word = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Status = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
