"""What is proven of the integers, and with which inputs."""
