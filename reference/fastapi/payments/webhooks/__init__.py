"""Notices that outside parties bring."""
