"""Follows values through Python source that is read and never run.

A request is taken along the source's own calls: from the functions that a path is bound to, through
dependencies, middleware, methods and closures, to where a value that was made in one place meets a
value that was made in another. ``macs`` says what is asked of them there.
"""
