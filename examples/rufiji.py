"""21 dates of Sentinel-2 over the Rufiji delta in xarray, scored lazily; each cell as in a notebook."""

# %% [markdown]
# A model of the clear dates of 2019, then every date from 2016 to 2020 against it.

# %%
from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import rioxarray
import xarray as xr
from pages import arguments, table, write

from specvae import load_model, score_array

warnings.filterwarnings("ignore", category=PendingDeprecationWarning)
options = arguments(__doc__)
folder = options.data / "scenes" / "rufiji_timeseries"

# %% The series as one lazy DataArray (time, band, y, x), from files as they are: uint16, 0 = nothing there.
files = sorted(folder.glob("S2_*.tif"))[-4 if options.quick else 0 :]
times = pd.to_datetime([file.stem.removeprefix("S2_") for file in files])
dates = [rioxarray.open_rasterio(file, chunks={"y": 64, "x": 64}) for file in files]
series = xr.concat(dates, dim=pd.Index(times, name="time"), combine_attrs="override")
print(series.sizes, "lazy:", series.chunks is not None)

# %% Fit on the clear dates of 2019, on the command line, since a context model looks at scenes.
valid = (series != 0).all("band").mean(("y", "x")).compute()
clear = [
    str(file)
    for file, share, when in zip(files, valid.values, times, strict=True)
    if share > 0.99 and when.year == 2019
]
model = str(Path(tempfile.mkdtemp()) / "rufiji.specvae")
steps = ["--set", "training.steps=50"] if options.quick else []
subprocess.run([sys.executable, "-m", "specvae", "fit", *clear, "--model", model, *steps], check=True)

# %% Score: nothing is read until `compute`, and then block by block with the model's halo.
stored = load_model(model)
score = score_array(series, stored)
print(score)
score = score.compute()

# %% A cut at one false alarm in a thousand, from blocks of the clear dates that were held out.
cut = stored.detector.calibration.threshold(1e-3)
share = (score > cut.value).sum(("y", "x")) / score.notnull().sum(("y", "x"))
median = score.median(("y", "x"))

# %% What the series says.
shown = [int(i) for i in share.argsort()[[0, len(files) // 2, -2, -1]]]
figure, axes = plt.subplots(1, 4, figsize=(11, 3), constrained_layout=True)
for axis, i in zip(axes, shown, strict=True):
    image = axis.imshow(score[i], vmin=0, vmax=4 * cut.value, cmap="magma")
    axis.set_title(f"{times[i]:%Y-%m-%d}: {100 * float(share[i]):.2f} %", fontsize=9)
    axis.set_axis_off()
figure.colorbar(image, ax=axes, label="score, nats")
figure.savefig(options.out / "rufiji.png", dpi=110, metadata={"Software": None})

# %%
mine = [str(file) in clear for file in files]
fitted, others = median.values[mine], median.values[[not own for own in mine]]
low, high = cut.interval or (0.0, 1.0)
rows = [
    [f"{when:%Y-%m-%d}", f"{100 * float(v):.0f} %", f"{float(m):.1f}", f"{100 * float(s):.3f} %"]
    for when, v, m, s in zip(times, valid.values, median.values, share.values, strict=True)
]
write(
    options,
    "rufiji.md",
    "# A series in xarray",
    f"{len(files)} dates of Sentinel-2 over the Rufiji delta, {series.sizes['y']} x {series.sizes['x']} pixels of "
    f"{series.sizes['band']} bands, opened lazily by rioxarray, scored by `score_array(series, model)` with the same bits as "
    f"`specvae score`. The model was fitted on {len(clear)} clear dates of 2019; its cut for a false-alarm rate of "
    f"{cut.false_alarm_rate:.1e} is {cut.value:.1f} nats ({cut.method}; by resampled blocks the rate is between {low:.1e} and "
    f"{high:.1e}).",
    "![Scores of four dates: fewest, middling, second most and most flagged pixels](rufiji.png)",
    "*Scores of four dates: the fewest, a middling number, the second most and the most flagged pixels.*",
    table(["date", "valid", "median score, nats", "above the cut"], rows),
    f"The median score of a date is {fitted.min():.1f} to {fitted.max():.1f} nats on the dates that were fitted on and "
    f"{others.min():.1f} to {others.max():.1f} on the others, whose season, water and haze differ: a few clear days of one dry "
    "season are not all that is normal. `specvae score` says so of each date in its drift verdict.",
    "## The script",
    "```python\n" + Path(__file__).read_text(encoding="utf-8") + "```",
    packages=("xarray", "rioxarray", "dask", "torch"),
)
