"""The process that runs the functions of python stages; it imports the standard library only."""
