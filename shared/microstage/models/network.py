"""What every network of ours offers the stages beyond torch's own: its weights by module path, out and in."""

from __future__ import annotations

from torch import Tensor, nn

from microstage.errors import ModelError

__all__ = ["Network"]


class Network(nn.Module):
    def weights(self) -> dict[str, Tensor]:
        """Return the state that defines the network, by module path."""
        return dict(self.state_dict())

    def load_weights(self, state: dict[str, Tensor]) -> None:
        """Take over `weights()` of an equal network.

        `ModelError` names what is missing, foreign or of another shape.
        """
        wanted = set(self.weights())  # without the scales whose statistics are still being collected
        try:
            missing, foreign = self.load_state_dict(state, strict=False)
        except RuntimeError:
            shapes = {name: value.shape for name, value in self.state_dict().items()}
            other = next(name for name, value in state.items() if name in shapes and value.shape != shapes[name])
            raise ModelError(f"The weights do not fit the definition: {other} is {list(state[other].shape)}.") from None
        wrong = sorted(wanted.intersection(missing)) + foreign
        if wrong:
            raise ModelError(f"The weights do not fit the definition: {wrong[0]} is missing or foreign.")
