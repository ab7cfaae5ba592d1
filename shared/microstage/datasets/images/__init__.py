"""Images and their labels: MNIST, CIFAR-10, and synthetic glyphs."""
