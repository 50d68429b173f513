"""The report's style sheet: light and dark, wide and narrow, on paper."""

# Okabe and Ito's palette, told apart by colour-blind readers too, with two of our own.
LIGHT = (
    "--paper: #fff; --ink: #222; --soft: #666; --rule: #e5e5e5; --tint: #f3f3f3; --warn: #fff6e0;"
    "--c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7;"
    "--c4: #56b4e9; --c5: #e69f00; --c6: #7f5f00; --c7: #6a3d9a;"
)
DARK = (
    "--paper: #16181d; --ink: #e8e8e8; --soft: #a3a8b0; --rule: #353942; --tint: #23262d; --warn: #332b17;"
    "--c0: #3f9fe0; --c1: #f07b35; --c2: #2cc298; --c3: #e29bc4;"
    "--c4: #9ad7f7; --c5: #f2bb3c; --c6: #b8963f; --c7: #ab8ce2;"
)

SVG = """
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--rule); fill: none; }
svg .line { fill: none; stroke-width: 1.8; }
svg .area { fill-opacity: .35; stroke-width: 1.2; }
"""

STYLE = (
    f"""
:root {{ color-scheme: light; {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {DARK} }} }}
{SVG}"""
    + """
body { margin: 0; background: var(--paper); color: var(--ink); }
body { font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 6px; }
h3 { font-size: 16px; margin: 0 0 8px; }
h4 { font-size: 13px; margin: 0 0 6px; overflow-wrap: anywhere; }
h4 small { display: block; font-weight: normal; color: var(--soft); }
p { margin: 6px 0 12px; max-width: 80ch; overflow-wrap: anywhere; }
aside { background: var(--warn); border-left: 4px solid var(--c5); padding: 8px 16px; }
aside + section { margin-top: 24px; }
aside h2 { margin: 0; font-size: 15px; }
aside ul { margin: 4px 0; padding-left: 20px; overflow-wrap: anywhere; }
.wide { overflow: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 5.5em; }
thead th { border-bottom: 2px solid; }
tbody td { border-bottom: 1px solid var(--rule); }
tbody tr { background: var(--paper); }
th.text:first-child, td.text:first-child { position: sticky; left: 0; background: inherit; }
tr.bound td { color: var(--soft); font-style: italic; }
tbody tr.base { background: var(--tint); }
.figures { display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; display: flex; flex-direction: column; }
figcaption { order: 1; }
details { order: 2; }
figcaption, details { width: 0; min-width: 100%; font-size: 13px; overflow-wrap: anywhere; }
summary { color: var(--soft); }
details .wide { max-height: 320px; }
.key { display: inline-block; margin: 0 0 0 12px; }
.key i { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px; }
.chart { position: relative; width: fit-content; }
svg { max-width: 100%; height: auto; display: block; overflow: visible; }
.at { position: absolute; display: flex; }
.at i { position: relative; flex: 1 0 0; }
.at i:hover { background: linear-gradient(var(--soft), var(--soft)) center / 1px no-repeat; }
.at i:hover::after { content: attr(data-said); position: absolute; z-index: 1; top: 0; left: 100%; margin: 0 6px; }
.at i:hover::after { font: 12px/1.4 system-ui, sans-serif; white-space: pre-wrap; unicode-bidi: plaintext; }
.at i:hover::after { background: var(--paper); border: 1px solid var(--soft); border-radius: 4px; padding: 2px 8px; }
.at i:hover::after { pointer-events: none; width: max-content; max-width: min(60vw, 300px); overflow-wrap: anywhere; }
.at .r:hover::after { left: auto; right: 100%; }
article { border: 1px solid var(--rule); border-radius: 6px; padding: 12px 16px; margin: 12px 0; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 16px; }
.lists > div { min-width: 0; }
.lists ol, .lists ul { margin: 0; padding: 0; list-style: none; font-size: 13px; }
.lists li { margin: 0 0 6px; overflow-wrap: anywhere; }
code { font-size: 12px; color: var(--soft); }
.grade { display: inline-block; min-width: 16px; margin-right: 6px; padding: 0 2px; border-radius: 3px; }
.grade { text-align: center; }
.grade.relevant { background: #0072b2; color: #fff; }
.grade.other { background: var(--rule); }
.grade.unjudged { border: 1px dashed var(--soft); }
@media (max-width: 520px) {
  main { padding: 12px; }
  svg[width="620"] text { font-size: 16px; }
}
@media print {
  body { font-size: 12px; print-color-adjust: exact; }
  main { padding: 0; }
  .wide, details .wide { overflow: visible; max-height: none; }
  th, td { padding: 2px 6px; }
  h2, section > p { break-after: avoid; }
  figure, tr, aside, p, li { break-inside: avoid; }
  .figures { display: block; }
  figure { display: inline-block; vertical-align: top; margin: 0 8px 8px 0; }
  figure:not(:only-child) { width: calc(50% - 14px); }
  details:not([open]) { display: none; }
}
"""
)
