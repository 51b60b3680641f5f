"""Drills: processes killed, disks filled, servers gone, on purpose. Not shipped; `python -m drills`."""
