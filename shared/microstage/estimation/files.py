"""What the steps of an estimation hand on, and what they leave: names of files."""

WINDOWS = "windows.npz"
NETWORK = "network.npz"
TABLE = "harmonics.csv"
DRAWING = "harmonics.png"
