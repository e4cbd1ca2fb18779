"""Colours of the pages and pictures that voxgrad writes, for light and dark mode; the server's page has the same."""

COLOURS = {
    "ground": ("#ffffff", "#1e2025"),
    "raised": ("#f1efea", "#2a2d34"),
    "text": ("#1b1c20", "#eeeef1"),
    "quiet": ("#565a63", "#b0b4bf"),
    "line": ("#dddad3", "#40444d"),
    "first": ("#1d55b3", "#8fbaff"),
    "second": ("#a34a08", "#f4b266"),
    "good": ("#1b6632", "#8adba3"),
    "fair": ("#855400", "#f0c36a"),
    "bad": ("#a3201a", "#ffa097"),
}
"""Text has a contrast of at least 4.5 to 1 on both grounds."""

_DARK = "@media (prefers-color-scheme: dark)"


def page_style() -> str:
    """The colours as variables, and what all pages share."""
    light, dark = ("".join(f"--{name}: {pair[mode]}; " for name, pair in COLOURS.items()) for mode in (0, 1))
    return f"""
:root {{ color-scheme: light dark; {light}}}
{_DARK} {{ :root {{ {dark}}} }}
* {{ box-sizing: border-box; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem;
  overflow-wrap: break-word; background: var(--ground); color: var(--text); }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: .2rem 0 .75rem; }}
h2 {{ font-size: 1.15rem; line-height: 1.3; margin: 2rem 0 .5rem; }}
figure {{ margin: 0; min-width: 0; }}
figcaption {{ font-size: .9rem; font-weight: 600; }}
summary {{ cursor: pointer; padding: .6rem 0; color: var(--quiet); }}
.mel {{ display: block; width: 100%; height: 110px; border-radius: .3rem; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }}
.pairs {{ grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }}
.charts svg {{ display: block; width: 100%; height: auto; max-width: 30rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; }}
td, th {{ text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
audio {{ width: 100%; height: 40px; margin: .3rem 0; }}
"""


def picture_style() -> str:
    """Classes of a picture; without variables, which many viewers of SVG do not support."""
    return f"{_rules(0)} {_DARK} {{ {_rules(1)} }}"


def _rules(mode: int) -> str:
    colour = {name: pair[mode] for name, pair in COLOURS.items()}
    text = " ".join(f".{name} {{ fill: {colour[name]}; }}" for name in ("ground", "text", "quiet", "first", "second"))
    lines = " ".join(f".{name}-line {{ stroke: {colour[name]}; fill: none; }}" for name in ("line", "first", "second"))
    page = f".picture {{ background: {colour['ground']}; }}"
    return f"{page} {text} {lines} .border {{ stroke: #ffffffb3; }}"
