"""The acts of the demonstration in their order, a file each: bill, correct, collect, close, prove.

The rule here: an act starts what a person would start, waits until it is done, and prints what came of it.
"""
