"""What `make demo` runs, and the other systems that it stands in for. No part of the platform."""
