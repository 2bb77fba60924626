"""The rules of sharing, as pure functions of frozen values: no clock, no random source, no input or output.

`books` holds what is promised to whom, `promise` says what each order line gets when it arrives (`queue` within one
offer, `fair` at the cut-off where nothing is promised before, by the `policies` of the cooperative), `reach` what
must be loaded for it, `sharing` how a quantity is split among households, `baskets` puts the two together: what each
household brings, and why; and `cut_off` says what changes when a delivery day closes; `terms` is what an offer says.
"""
