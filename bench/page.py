"""What was measured as text: one self-contained HTML page, and the marked block of docs/benchmarks.md."""

from __future__ import annotations

import html
import pathlib
import re

import plots
from common import ROOT, fail

PLOT_OF = {"overload": "overload", "reloads": "reloads", "peers": "peers", "pipeline": "ratios",
           "reference": "reference", "mixed": "mixed"}
ALT = {"overload": "Latency and goodput against the offered load", "reloads": "Latency while the model is reloaded",
       "peers": "Bascule beside Triton", "ratios": "Shares of the bare loops",
       "reference": "Pictures a second beside the reference package", "mixed": "The slowest hundredth of the small models' answers"}
BEGIN, END = "<!-- begin: written by bench/run.sh --write-docs -->", "<!-- end: written by bench/run.sh -->"
MOST_PICTURE_BYTES = 100_000
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
svg{max-width:100%;height:auto}.met{color:#00714f}.missed,.unsteady{color:#b34700;font-weight:600}p{max-width:50rem}"""


def verdict(row: dict) -> str:
    if not row["steady"]:
        return "not steady"
    return {None: "", True: "met", False: "missed"}[row["met"]]


def subject(report: dict) -> str:
    machine = report["machine"]
    command = f"bench/run.sh {report['command']}".strip()
    return (f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['date']}, load average "
            f"{machine['load_before']} before; `{command}`.")


def as_html(report: dict, pictures: dict[str, str]) -> str:
    out = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Bascule: bench</title><style>{STYLE}</style>',
           "<h1>Bascule: bench</h1>", f"<p>{marked(subject(report))}</p>"]
    for part in report["parts"].values():
        out.append(f"<h2>{html.escape(part['title'])}</h2><p>{marked(part['how'])}</p>")
        if part["skipped"]:
            out.append(f"<p>Not measured: {html.escape(part['skipped'])}.</p>")
        if part["rows"]:
            out.append("<table><tr><th>what<th>measured<th>goal<th></tr>")
            for row in part["rows"]:
                text = verdict(row)
                out.append(f"<tr><td>{html.escape(row['name'])}<td>{html.escape(row['shown'])}<td>{html.escape(row['goal'])}"
                           f'<td class="{text.split()[-1] if text else ""}">{text}</tr>')
            out.append("</table>")
        name = PLOT_OF.get(part["name"])
        if name in pictures:
            out.append(pictures[name])
    if not pictures:
        out.append("<p>No plots: matplotlib is missing, or nothing that is plotted was measured.</p>")
    return "\n".join(out) + "\n</html>\n"


def marked(text: str) -> str:
    """The little of Markdown that the parts' texts use."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def as_markdown(report: dict, pictures: dict[str, str]) -> str:
    out = ["", subject(report)]
    for part in report["parts"].values():
        out += ["", f"## {part['title']}", "", part["how"], ""]
        if part["skipped"]:
            out += [f"Not measured: {part['skipped']}.", ""]
        if part["rows"]:
            out += ["| what | measured | goal | |", "|---|---|---|---|"]
            out += [f"| {row['name']} | {row['shown']} | {row['goal']} | {verdict(row)} |" for row in part["rows"]]
        name = PLOT_OF.get(part["name"])
        if name in pictures:
            out += ["", f"![{ALT[name]}](pictures/bench/{name}.svg)"]
    return "\n".join(out) + "\n\n"


def write(report: dict, path: pathlib.Path) -> dict[str, str]:
    """The page; and its plots, for those who want them elsewhere."""
    pictures = plots.draw(report)
    path.write_text(as_html(report, pictures))
    return pictures


def write_docs(report: dict, pictures: dict[str, str]) -> None:
    path = ROOT / "docs/benchmarks.md"
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        fail(f"{path} holds no block between '{BEGIN}' and '{END}'")
    folder = ROOT / "docs/pictures/bench"
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        if len(picture.encode()) > MOST_PICTURE_BYTES:
            fail(f"the plot '{name}' has {len(picture.encode()):,} bytes, more than {MOST_PICTURE_BYTES:,}")
        (folder / f"{name}.svg").write_text(picture)
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    path.write_text(before + "\n" + as_markdown(report, pictures).strip("\n") + "\n\n" + after)
