"""Words of the quarantine that those who write it and those who read it share."""

# The column that a quarantined row has besides its own: names of the checks that it failed.
REASONS = "quarantine_reasons"
