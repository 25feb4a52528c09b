"""The use cases, one function each: core values in, core values out."""
