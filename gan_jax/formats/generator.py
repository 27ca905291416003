"""What every format has of a run: its generator as a function of z and labels, and what is to be known about it."""

import dataclasses
import json
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import gan_jax
from gan_jax.build import is_conditional
from gan_jax.gan.player import inference_variables
from gan_jax.layers.native import portable
from gan_jax.runs.dataset import without_source_folder
from gan_jax.runs.load import LoadedRun
from gan_jax.system import config as configs
from gan_jax.system.files import read_table

_CHECKED_SIZES = (1, 5)  # batches for which an exported generator is compared with ours


@dataclasses.dataclass(frozen=True)
class Generator:
    """The generator of a run, for export.

    run: with its state. is_ema: whether it is the EMA generator.
    """

    run: LoadedRun
    is_ema: bool

    @property
    def takes_labels(self) -> bool:
        return is_conditional(self.run.config.generator)

    def function(self) -> Callable[..., jax.Array]:
        """(z [B, Z], labels int32 [B] if the generator takes labels) -> images [B, H, W, C] in [-1, 1]."""
        state = self.run.state if self.is_ema else self.run.state.without_ema()
        variables, module = inference_variables(state.generator), self.run.gan.generator

        def images(z: jax.Array, labels: jax.Array | None = None) -> jax.Array:
            labels = jnp.zeros(z.shape[:1], jnp.int32) if labels is None else labels
            with portable():
                return module.apply(variables, z, labels, train=False)

        return images

    def inputs(self, batch: int | jax.ShapeDtypeStruct) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of the inputs, by name. batch: the size of the batch, a number or a symbol."""
        shapes = {"z": jax.ShapeDtypeStruct((batch, self.run.config.prior.features), jnp.float32)}
        return shapes | ({"labels": jax.ShapeDtypeStruct((batch,), jnp.int32)} if self.takes_labels else {})

    def examples(self) -> list[tuple[list[np.ndarray], np.ndarray]]:
        """(inputs, our images) of batches of several sizes, to check an exported generator."""
        function, examples = jax.jit(self.function()), []
        for size in _CHECKED_SIZES:
            z = np.asarray(self.run.gan.prior(jax.random.key(size), size), np.float32)
            labels = np.arange(size, dtype=np.int32) % self.run.num_classes
            inputs = [z, labels] if self.takes_labels else [z]
            examples.append((inputs, np.asarray(function(*inputs))))
        return examples

    def scores(self) -> dict:
        """The evaluation of this state on the test images with the most generated ones, from the workdir; {} for none.

        If there is one in the features of the classifier, it is that.
        """
        if self.run.folder is None:
            return {}
        results = [read_table(path) for path in sorted(self.run.folder.path.glob("evaluation*.json"))]
        kind = "ema" if self.is_ema else "last"
        wanted = {"step": self.run.step, "split": "test", "generator": kind, "sampler": "prior"}
        # The file draws z from the prior. Older results have no entry "sampler".
        fitting = [result for result in results if wanted.items() <= ({"sampler": "prior"} | result).items()]
        return max(fitting, key=lambda r: (r["features"].startswith("classifier"), r["num_generated"]), default={})

    def metadata(self) -> dict[str, str]:
        """Text by name, for the file: what made it, the whole config, the data, the scores."""
        data = without_source_folder(self.run.run_info["data"])
        kept = ("num_steps", "status", "commit", "parts")
        info = {name: value for name, value in self.run.run_info.items() if name in kept}
        return {
            "format": "gan_jax",
            "version": gan_jax.__version__,
            "generator": "ema" if self.is_ema else "raw",
            "step": str(self.run.step),
            "images": "float32 [batch, height, width, channels] in [-1, 1]; bytes: round((images + 1) * 127.5)",
            "classes": json.dumps(list(self.run.class_names)),
            "prior": json.dumps(self.run.config.prior.to_dict()),
            "config": configs.to_json(self.run.config),
            "run": json.dumps(info | {"data": data}),
            "scores": json.dumps(self.scores()),
        }
