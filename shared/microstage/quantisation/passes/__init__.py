"""What is done to a quantised network: scales chosen, biases and roundings corrected, weights trained on."""
