"""The rules of telling: what a notice holds, how it is worded, and what becomes of an attempt to send it.

Standard library only, values only; `now` and everything learned from elsewhere is passed in.
"""
