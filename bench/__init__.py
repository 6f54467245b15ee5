"""Measurements: how long a change takes, against the API server's own limit and against kubectl and helm, in one run.

Here: everything behind ``make bench``. Nothing is asserted; figures are printed with their spread and as ratios, since
absolute milliseconds belong to one machine and one moment. Not here: tests of behaviour (``tests``).
"""
