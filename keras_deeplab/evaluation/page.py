"""The frame and the style of a report's page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --plate: #fff; --ink: #1b2430; --soft: #5b6675;
  --line: #dfe3e9; --main: #2563eb; --crf: #c2570c; --wrong: #e11d48; }
@media (prefers-color-scheme: dark) { :root { --back: #11151b; --plate: #1a2029; --ink: #e6eaf0;
  --soft: #9aa7b6; --line: #2d3642; --main: #6d9dff; --crf: #f59e57; --wrong: #fb5a7e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 1.5rem 1rem 3rem; background: var(--back);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 .75rem; color: var(--soft); }
section { margin-top: 1.25rem; background: var(--plate); border: 1px solid var(--line);
  border-radius: 12px; padding: 1rem; }
section.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr));
  gap: .75rem; background: none; border: 0; padding: 0; }
.card { background: var(--plate); border: 1px solid var(--line); border-radius: 12px;
  padding: .8rem 1rem; }
.card h3 { margin: 0; font-size: .9rem; font-weight: 600; color: var(--soft); }
.card p { margin: 0; font-size: .85rem; }
.card .value { font-size: 1.7rem; line-height: 1.3; font-weight: 650; color: var(--ink); }
.card .crf { color: var(--crf); font-size: 1rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
table.classes { width: 100%; }
th, td { padding: .28rem .6rem; text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--line); color: var(--soft); font-weight: 600;
  vertical-align: bottom; }
thead td { border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
th:first-child, .left, th[scope=row] + td:not(.bars):not(:has(data)) { text-align: left; }
th[scope=row] { font-weight: 500; }
td.bars { width: 45%; min-width: 5rem; }
.bar { height: .55rem; border-radius: 3px; background: var(--main); min-width: 1px; }
tr.absent > * { opacity: .5; }
.bar + .bar { margin-top: 2px; }
.bar.crf { background: var(--crf); }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .45em;
  border-radius: 3px; border: 1px solid var(--soft); vertical-align: -.05em; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .88rem; }
svg text { fill: currentColor; font-family: inherit; dominant-baseline: central; }
svg .end { text-anchor: end; } svg .middle, svg .number { text-anchor: middle; }
svg .grid { stroke: var(--line); }
svg polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
svg .iou { stroke: var(--main); } svg .accuracy { stroke: var(--main); stroke-width: 1.5;
  stroke-opacity: .65; } svg .crf { stroke: var(--crf); stroke-dasharray: 7 4; }
.curves { width: 100%; max-width: 720px; font-size: 12px; }
.map .plate { fill: var(--back); } .map .right { fill: var(--main); }
.map .wrong { fill: var(--wrong); } .map .number { font-size: 9.5px; pointer-events: none; }
.map .strong { fill: #fff; }
.figures { display: grid; gap: .6rem; grid-template-columns: repeat(4, 1fr); }
.figures.of6 { grid-template-columns: repeat(3, 1fr); } .of6 figure { order: 1; }
.of6 figure:nth-child(2) { order: 2; } .of6 figure:nth-child(n + 5) { order: 3; }
article + article { border-top: 1px solid var(--line); margin-top: 1rem; }
figure { margin: 0; } figure img { width: 100%; height: auto; border-radius: 8px; display: block; }
figcaption { font-size: .85rem; color: var(--soft); }
footer { margin-top: 1.5rem; font-size: .85rem; color: var(--soft); }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 600px) { body { padding: 1rem .6rem 2rem; } section { padding: .75rem; }
  section.cards { grid-template-columns: 1fr 1fr; } .card .value { font-size: 1.35rem; }
  .card .crf { font-size: .88rem; } .of6 figure:nth-child(n) { order: 0; }
  .figures, .figures.of6 { grid-template-columns: 1fr 1fr; } table { font-size: .84rem; }
  th, td { padding: .28rem .3rem; } td.bars { min-width: 2.5rem; width: auto; }
  thead th { white-space: normal; } .curves { font-size: 17px; } }
@media print { body { background: none; } section { break-inside: avoid; } }
"""


def page(*, title: str, subtitle: str, sections: Sequence[str], footer: str) -> str:
    """Returns a complete HTML page.

    Args:
        title: Plain text.
        subtitle: Plain text.
        sections: HTML.
        footer: Plain text.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>"
        f"<main>{''.join(sections)}</main><footer>{escape(footer)}</footer></body></html>\n"
    )
