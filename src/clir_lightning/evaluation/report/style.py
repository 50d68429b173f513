"""The report's style sheet."""

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #222; }
body { font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 6px; }
h3 { font-size: 16px; margin: 0 0 8px; }
h4 { font-size: 13px; margin: 0 0 6px; overflow-wrap: anywhere; }
h4 small { display: block; font-weight: normal; color: #666; }
p { margin: 6px 0 12px; max-width: 80ch; }
aside { background: #fff6e0; border-left: 4px solid #e69f00; padding: 8px 16px; }
aside h2 { margin: 0; font-size: 15px; }
aside ul { margin: 4px 0; padding-left: 20px; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #222; }
tbody td { border-bottom: 1px solid #e5e5e5; }
tr.bound td { color: #767676; font-style: italic; }
tr.base td { background: #f3f3f3; }
.figures { display: flex; flex-wrap: wrap; gap: 20px; }
figure { margin: 0; max-width: 100%; }
figcaption { width: 0; min-width: 100%; font-size: 13px; overflow-wrap: anywhere; }
.key { display: inline-block; margin: 0 0 0 12px; }
.key i { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px; }
svg { max-width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: #555; }
svg .grid { stroke: #e5e5e5; fill: none; }
svg .line { fill: none; stroke-width: 1.8; }
svg .area { fill-opacity: .35; stroke-width: 1.2; }
article { border: 1px solid #ddd; border-radius: 6px; padding: 12px 16px; margin: 12px 0; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 16px; }
.lists > div { min-width: 0; }
.lists ol, .lists ul { margin: 0; padding: 0; list-style: none; font-size: 13px; }
.lists li { margin: 0 0 6px; overflow-wrap: anywhere; }
code { font-size: 12px; color: #666; }
.grade { display: inline-block; min-width: 16px; margin-right: 6px; padding: 0 2px; border-radius: 3px; }
.grade { text-align: center; }
.grade.relevant { background: #0072b2; color: #fff; }
.grade.other { background: #e5e5e5; }
.grade.unjudged { border: 1px dashed #999; }
@media print { article, figure { break-inside: avoid; } }
"""
