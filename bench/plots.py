"""The plots of a report, as SVG texts by name. Empty where matplotlib is missing."""

from __future__ import annotations

import io

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"  # told apart by the colour-blind as well


def matplotlib_pyplot():
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("svg")
    # Texts stay texts and ids stay the same: small files, and equal figures give equal files.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bascule", "font.size": 9, "axes.grid": True,
                                "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
                                "legend.frameon": False, "font.family": "sans-serif"})
    import matplotlib.pyplot
    return matplotlib.pyplot


def as_svg(plt, figure) -> str:
    out = io.StringIO()
    figure.tight_layout()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg"):]


def series(points: list[dict], value) -> tuple[list[float], list[float]]:
    pairs = [(point["load"], value(point)) for point in points]
    pairs = [(load, y) for load, y in pairs if y]
    return [load for load, _ in pairs], [y for _, y in pairs]


def overload(plt, plots: dict) -> dict[str, str]:
    """Load against latency, with admission and without, and what is answered in time."""
    with_all = {name: points for name, points in plots.items() if name.startswith("tensors") and len(points) > 1}
    if not with_all:
        return {}
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    colours = dict(zip(with_all, (BLUE, GREEN, ORANGE)))
    for name, points in with_all.items():
        label = name.removeprefix("tensors, ")
        left.plot(*series(points, lambda p: p["latency_ms"].get("p50")), "o--", color=colours[name], alpha=0.5, ms=3)
        left.plot(*series(points, lambda p: p["latency_ms"].get("p99")), "o-", color=colours[name], label=label, ms=4)
        right.plot(*series(points, lambda p: p["goodput"] or 1e-6), "o-", color=colours[name], label=label, ms=4)
    left.set(xlabel="offered load / capacity", ylabel="latency of the answered, ms", yscale="log",
             title="p99 (full) and p50 (dashed)")
    right.set(xlabel="offered load / capacity", ylabel="goodput / capacity", ylim=(0, 1.15), title="answered in time")
    right.legend()
    return {"overload": as_svg(plt, figure)}


def ratios(plt, parts: dict) -> dict[str, str]:
    """Shares of the bare loops, with the goals."""
    rows = [(f"{parts[name]['title']}: {row['name']}", row["figures"], row["goal"])
            for name in ("throughput", "pipeline") if name in parts for row in parts[name]["rows"]]
    if not rows:
        return {}
    rows.reverse()
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.28 * len(rows)))
    for y, (_, figures, goal) in enumerate(rows):
        low, high = figures["range"]
        axes.barh(y, figures["ratio"], color=BLUE, height=0.6)
        axes.plot([low, high], [y, y], color="black", lw=1)
        if goal:
            limit = float(goal.removeprefix(">= "))
            axes.plot([limit, limit], [y - 0.4, y + 0.4], color=ORANGE, lw=2)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set(xlim=(0, 1.1), xlabel="server / bare loop; the thin line is the rounds' range, the upright one the goal")
    axes.grid(axis="y", visible=False)
    return {"ratios": as_svg(plt, figure)}


def reloads(plt, plots: dict) -> dict[str, str]:
    """The latency of each half second, while the model is loaded anew and while it is not."""
    if not plots.get("timeline"):
        return {}
    figure, axes = plt.subplots(figsize=(9, 3))
    for label, colour in (("steady", GREY), ("reloads", BLUE)):
        points = plots["timeline"].get(label, [])
        axes.plot([p["at"] for p in points], [p["p99"] for p in points], "-", color=colour, lw=1.2, label=f"{label}: slowest in 100")
        axes.plot([p["at"] for p in points], [p["p50"] for p in points], ":", color=colour, lw=1.2, label=f"{label}: median")
    axes.set(xlabel="seconds", ylabel="latency in each second, ms", ylim=(0, None))
    axes.legend(ncol=2)
    return {"reloads": as_svg(plt, figure)}


def peers(plt, parts: dict) -> dict[str, str]:
    rows = [row for row in parts.get("peers", {}).get("rows", []) if "bascule" in row["figures"]]
    if not rows:
        return {}
    figure, axes = plt.subplots(1, len(rows), figsize=(9, 2.4))
    for one, row in zip(axes if len(rows) > 1 else [axes], rows):
        one.bar(["Bascule", "Triton"], [row["figures"]["bascule"], row["figures"]["triton"]], color=[BLUE, GREY])
        one.set_title(f"{row['name']}, {row['figures']['unit']}")
        one.grid(axis="x", visible=False)
    return {"peers": as_svg(plt, figure)}


def reference(plt, parts: dict) -> dict[str, str]:
    """Pictures a second, each row's two sides one below the other."""
    rows = [row for row in parts.get("reference", {}).get("rows", []) if row["figures"].get("unit") == "pictures/s"]
    return two_sides(plt, "reference", rows, ("bascule", "reference"), ("Bascule", "the reference package"), "pictures a second")


def mixed(plt, parts: dict) -> dict[str, str]:
    rows = [row for row in parts.get("mixed", {}).get("rows", []) if "alone_p99_us" in row["figures"]]
    return two_sides(plt, "mixed", rows, ("p99_us", "alone_p99_us"), ("beside the others", "alone"),
                     "slowest hundredth, microseconds")


def two_sides(plt, name: str, rows: list[dict], keys: tuple, labels: tuple, unit: str) -> dict[str, str]:
    if not rows:
        return {}
    rows = rows[::-1]
    figure, axes = plt.subplots(figsize=(9, 1 + 0.4 * len(rows)))
    for key, label, colour, offset in zip(keys, labels, (BLUE, GREY), (0.2, -0.2)):
        axes.barh([y + offset for y in range(len(rows))], [row["figures"][key] for row in rows], color=colour, height=0.36,
                  label=label)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_xlabel(unit)
    axes.grid(axis="y", visible=False)
    axes.legend()
    return {name: as_svg(plt, figure)}


def draw(report: dict) -> dict[str, str]:
    plt = matplotlib_pyplot()
    if plt is None:
        return {}
    parts = report["parts"]
    found = {**ratios(plt, parts), **peers(plt, parts), **reference(plt, parts), **mixed(plt, parts)}
    found |= overload(plt, parts.get("overload", {}).get("plots", {}))
    found |= reloads(plt, parts.get("reloads", {}).get("plots", {}))
    return found
