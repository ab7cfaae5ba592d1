"""Pictures of results that no single stage has: drawn in the environment of the stage that brings matplotlib."""
