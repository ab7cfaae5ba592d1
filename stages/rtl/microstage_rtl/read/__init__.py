"""Read streamline's artefact: graphs to calls of the machine, in the order in which it runs them."""
