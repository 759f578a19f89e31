"""Payouts: money that leaves for a bank account, step by step."""
