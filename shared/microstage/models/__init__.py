"""Network definitions, shared by the stages that build, export and check them."""
