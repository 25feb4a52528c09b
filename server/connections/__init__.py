"""Connections: all that arrives is counted, whatever part of a protocol it is."""
