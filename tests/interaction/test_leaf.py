"""`interlaw.interaction` works where nothing but torch and jaxtyping is installed."""

import json
import subprocess
import sys

# what torch and jaxtyping themselves ask for stays; numpy, which torch can do without, does not
ALONE = """
import json, re, sys
from importlib import metadata
from importlib.machinery import PathFinder

def closure(names):
    found, ahead = set(), list(names)
    while ahead:
        name = re.sub(r"[-_.]+", "-", ahead.pop()).lower()
        if name not in found:
            found.add(name)
            try:
                asked = metadata.requires(name) or ()
            except metadata.PackageNotFoundError:
                continue
            ahead += [re.match(r"[\\w.-]+", line)[0] for line in asked if "extra ==" not in line]
    return found

allowed = closure(["torch", "jaxtyping"])
blocked = {
    module
    for module, owners in metadata.packages_distributions().items()
    if module not in sys.stdlib_module_names and module != "interlaw"
    and not any(re.sub(r"[-_.]+", "-", owner).lower() in allowed for owner in owners)
}

class Wall(PathFinder):
    # finds what is on the path, as if the blocked packages were not installed
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        first, _, rest = name.partition(".")
        if first in blocked:
            return None
        if first == "interlaw" and rest.partition(".")[0] not in ("", "interaction", "errors"):
            raise ModuleNotFoundError(f"{name} is another stage", name=name)
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Wall
import warnings
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
import torch
from interlaw.interaction import agop, compare, load, measure, measure_layers, rotation_test, save, with_intervals

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 70))
x = torch.randn(16, 6)
found = [measure(model, x, view=view) for view in ("input", "output", "projected")]
found.append(with_intervals(found[0], "bootstrap-t"))
folder = sys.argv[1]
again = load(save(found[0], folder + "/m.json"))
assert compare(again, found[0], paired=True)["aofe"].value == 0
assert len(measure_layers(model, x)) == 2
assert 0 < rotation_test(agop(model, x), draws=9).p_value <= 1
print(json.dumps({"ratio": again.aofe_ratio.value, "blocked": sorted(blocked & {"numpy", "pandas", "scipy", "typer"}),
                  "loaded": sorted({name.partition(".")[0] for name in sys.modules} & blocked)}))
"""


def test_measuring_needs_torch_and_jaxtyping_alone(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, str(tmp_path)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["blocked"] == ["numpy", "pandas", "scipy", "typer"]
    assert found["loaded"] == []
    assert 0 < found["ratio"] < 1
