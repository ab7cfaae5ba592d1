"""Plain float networks: trained, then quantised for a target by `microstage.quantisation`."""
