"""Issuing: look, claim, send, record, settle."""
