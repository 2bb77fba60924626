"""The events that services exchange: one module per publisher, frozen JSON Schemas in `schemas/`.

A contract only grows: a new field has a default, nothing is removed or narrowed. A change that old
readers could not follow is a new version (`….v2`) beside the old one.
"""
