"""microstage: what every stage and the runner share. Importing it imports nothing heavy."""
