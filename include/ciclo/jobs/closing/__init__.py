"""Closing a month: its proof, its report, and what changes in it afterwards."""
