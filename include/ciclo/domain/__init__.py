"""The rules of recurring billing, as pure functions: values and dates in, values out, the standard library only.

Nothing here reads a clock, a file, a database or the network; what a rule needs comes as an argument.
"""
