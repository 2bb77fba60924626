"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

`books` holds what is promised to whom, `promise` says what each order line gets when it arrives, `sharing` how a
quantity is split among households, `baskets` puts the two together: what each household brings, and why;
and `cut_off` says what changes when a delivery day closes; `terms` is what an offer says. After the arrivals
`shortfall` says who bears what is missing, `lots` whose goods fill which order line, and `settlement` what each
household gets for them.
"""
