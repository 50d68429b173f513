"""Launching: processes on devices, jobs of a sweep."""
