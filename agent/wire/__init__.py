"""Protocol v1: bytes of the wire to values of the model and back. Pure: no clock, no connection, no file.

Everything that comes in is bounded, parsed strictly and verified before it becomes a value; what does not pass raises
``Refused`` with the path of the place and a reason, and nothing else is ever raised for bad input.
``docs/protocol.md`` describes the same for somebody who writes another control plane.
"""
