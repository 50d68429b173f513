"""The page's CSS, for wide screens and phones, light and dark."""

STYLE = """
<style>
[data-testid=stMainBlockContainer] { padding-top: 4rem; }
.clir-collection { font-size: 1.2rem; padding: 0; margin: 0; }
.clir-collection small { font-weight: 400; font-size: .9rem; opacity: .8; margin-inline-start: .5rem; }
.clir-columns { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.clir-columns section { min-width: 0; max-width: 60rem; overflow-wrap: anywhere; }
.clir-columns section > h3 { font-size: 1.1rem; padding: 0 0 .2rem; margin: 0; }
.clir-columns h4 { font-size: .95rem; padding: .6rem 0 .2rem; margin: 0; }
.clir-title { font-size: 1.1rem; padding: .5rem 0 0; margin: 0; overflow-wrap: anywhere; }
.clir-query { font-size: 1.6rem; padding: .3rem 0 0; margin: 0; overflow-wrap: anywhere; }
.clir-about { margin: 0 0 .5rem; opacity: .8; font-size: .875rem; overflow-wrap: anywhere; }
.clir-problem { color: light-dark(#8a3b00, #ffb27a); }

.clir-columns .clir-list, .clir-missing .clir-list { list-style: none; margin: 0; padding: 0; }
.clir-columns .clir-list li, .clir-missing .clir-list li { margin: 0; padding: .5rem 0; border-top: 1px solid #8884; }
.clir-list [dir] { display: block; line-height: 1.5; text-align: start; }
.clir-line { display: flex; gap: .6rem; align-items: baseline; margin-bottom: .2rem; }
.clir-line > b:first-child:not(.clir-grade) { min-width: 1.2rem; }
.clir-line code { min-width: 0; overflow-wrap: anywhere; }
.clir-line > :not(code) { flex: none; }
.clir-columns code, .clir-missing code, .clir-about code { font-size: .8rem; }
.clir-score { margin-inline-start: auto; opacity: .8; font-variant-numeric: tabular-nums; font-size: .875rem; }
.clir-list summary, .clir-missing summary { cursor: pointer; }
.clir-list details[open] > summary > i { display: none; }
summary:focus-visible { outline: 2px solid light-dark(#1b6ec2, #8cc4ff); outline-offset: 2px; }

.clir-grade { min-width: 1.7rem; padding: 0 .35rem; border-radius: .3rem; text-align: center; border: 1px solid #8888; }
.clir-none { border-style: dashed; opacity: .8; }
.clir-g0 { background: light-dark(#e8e8e8, #3a3d44); color: light-dark(#333, #ddd); }
.clir-g1 { background: light-dark(#d5ecdc, #1c4a2c); color: light-dark(#0b3d1d, #d8f5e0); }
.clir-g2 { background: light-dark(#a5d8b5, #216a3b); color: light-dark(#062b13, #e6faec); }
.clir-g3 { background: light-dark(#4f9e6a, #5cb37c); color: #000; }
.clir-g4 { background: light-dark(#1b6e3a, #93e0ac); color: light-dark(#fff, #000); }
.clir-up { color: light-dark(#14602f, #8fe0aa); font-weight: 600; }
.clir-down { color: light-dark(#a02020, #ff9c94); font-weight: 600; }
.clir-new, .clir-same { opacity: .8; }
.clir-new { font-style: italic; }

.clir-wide { overflow-x: auto; max-width: 100%; }
.clir-wide table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.clir-wide th, .clir-wide td { padding: .2rem .6rem; text-align: start; border: 1px solid #8884; white-space: nowrap; }
.clir-heat th, .clir-heat td { padding: .15rem .3rem; font-size: .8rem; text-align: center; }
.clir-heat td { background: color-mix(in srgb, #2f7fd0 var(--heat), transparent); }
.clir-bar { display: inline-block; width: 5rem; height: .7rem; border: 1px solid #8888; vertical-align: middle; }
.clir-bar i { display: block; height: 100%; background: light-dark(#2f7fd0, #6db1f5); }
.clir-names, .clir-edges { margin: 0; padding-inline-start: 1.1rem; }
.clir-edge { opacity: .85; font-size: .875rem; }
</style>
"""
