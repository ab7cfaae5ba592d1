"""Read what somebody else wrote, before any of it is believed: bounded in size, parsed without being executed."""
