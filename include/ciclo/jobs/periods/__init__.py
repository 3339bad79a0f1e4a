"""Periods: planned from the rules, cancelled where no rule expects them."""
