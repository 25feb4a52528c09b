"""Not the library's json."""

raise AssertionError("this must never be imported")
