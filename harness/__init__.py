"""Puts it together: the ``assay`` command, the grading pipeline, calibration, serving, lessons."""
