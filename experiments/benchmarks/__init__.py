"""Timings beside other frameworks."""
