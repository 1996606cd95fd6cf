"""A procedural street seen from a moving car: pictures, labels, instances and exact flow, for
training and tests."""

__version__ = "1"
