"""Not the library's colorsys."""

raise AssertionError("this must never be imported")
