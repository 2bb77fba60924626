"""Notices that follow from time: jobs, each idempotent over any number of processes and crashes."""
