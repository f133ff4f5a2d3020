"""What tells whether all is right: the doctor, and the audit with its own recomputation."""
