"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

`policies` is what a cooperative states in advance.

At arrival: `books` holds what is promised to whom, `promise` says what each order line gets, by the `queue` of its
offer or, where the cut-off decides, by `fair`; `reach` says what that takes from the books; `terms` is what an offer
says.

At the cut-off: `sharing` is how a quantity is split among households, `day_sharing` several products of a day,
`worthwhile` who is asked at all; `baskets` says what each household brings, and why; `cut_off` what changes when a
delivery day closes.

Afterwards: `market_day` is a day with its policies, `asked` and `replies` what households are asked and answer, `freed`
where freed quantity goes, `told` and `explain` what a household is told, `arrivals` what is weighed in, `shortfall`
and `shortening` who bears what is missing, `lots` which delivery fills which order, `settlement` what is owed, and
`departure` what all of that comes to when the truck leaves.
"""
