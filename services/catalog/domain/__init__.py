"""The rules of catalog: what may be offered, changed and withdrawn, and which standing offers are due.

Plain frozen values; `now` is passed in. What is wrong is raised with every faulty field at once.
"""
