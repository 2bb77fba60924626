"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

`promise` says what each order line gets when it arrives, `sharing` how a quantity is split among households,
and `baskets` puts the two together at the cut-off: what each household brings, and why.
"""
