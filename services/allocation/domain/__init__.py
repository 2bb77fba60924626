"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

At arrival: `books` holds what is promised to whom, `promise` says what each order line gets; `terms` is what an offer
says. At the cut-off: `sharing` is how a quantity is split among households, `day_sharing` several products of a day,
`worthwhile` who is asked at all; `baskets` says what each household brings, and why; `cut_off` what changes when a
delivery day closes. Afterwards: `asked` and `replies` are what households are asked and answer, `freed` where freed
quantity goes, `arrivals` what is weighed in, `shortfall` who bears what is missing, `lots` which delivery fills which
order, `settlement` what is owed.
"""
