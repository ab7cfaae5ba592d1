"""What generated C takes in the firmware of an emulated machine."""
