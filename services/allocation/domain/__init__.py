"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

`books` holds what is promised to whom, `promise` says what each order line gets when it arrives, `sharing` how a
quantity is split among households, `day_sharing` how several are on one day, `worthwhile` who is asked at all, and
`eligibility` who may bring what; `baskets` puts them together: what each household brings, and why; `cut_off` says
what changes when a delivery day closes; `terms` is what an offer says.
"""
