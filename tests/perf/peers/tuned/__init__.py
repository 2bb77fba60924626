"""What a good team makes of the plain pipeline in a week: uvloop, one statement per message, a relay that is woken."""
