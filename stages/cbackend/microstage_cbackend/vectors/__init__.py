"""Make what the self test replays: golden vectors of each part, real inputs, sounds."""
