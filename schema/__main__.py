"""`python -m runcast.schema` prints the schema as SDL."""

import sys

from .build import build_schema

if __name__ == "__main__":
    sys.stdout.write(build_schema().as_str() + "\n")
