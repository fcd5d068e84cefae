"""The page as a Jinja template, which escapes all values, and its style, which follows the browser's mode."""

STYLE = """
:root { color-scheme: light dark; --bg: #ffffff; --ink: #1f2328; --muted: #57606a; --line: #d0d7de; --soft: #f6f8fa;
  --accent: #0b5cad; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; --ink: #e6edf3; --muted: #9aa4af; --line: #30363d;
  --soft: #161b22; --accent: #79b8ff; --warn: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--bg); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h2 small { color: var(--muted); font-weight: 400; }
a { color: var(--accent); }
p, figcaption, li { max-width: 52rem; }
.lead, figcaption, footer { color: var(--muted); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption { margin: .6rem 0 1rem; font-size: .93rem; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0 .4rem; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; background: var(--soft); max-width: 11rem; }
th:first-child, td.text { text-align: left; }
tbody th { font-weight: 500; white-space: nowrap; }
code { font-size: .88em; background: var(--soft); padding: .1em .3em; border-radius: 4px; overflow-wrap: anywhere; }
.missing, .warnings { border-left: 3px solid var(--warn); background: var(--soft); padding: .5rem 1rem;
  margin: .75rem 0; }
.missing p, .warnings ul { margin: .3rem 0; }
summary { cursor: pointer; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
{%- macro numbers(table) %}
<div class="scroll" role="region" aria-label="{{ table.caption }}" tabindex="0">
<table>
<caption>{{ table.caption }}</caption>
<thead><tr>{% for name in table.header %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in table.rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
</div>
{%- endmacro %}
<header>
<h1>{{ title }}</h1>
<p class="lead">The figures of the DARO paper (arXiv 2510.09001), drawn from verl's logs. Written {{ written }}.</p>
<nav aria-label="Figures"><ul>
{%- for section in sections %}
<li><a href="#{{ section.stem }}">{{ section.number }}. {{ section.heading }}</a></li>
{%- endfor %}
<li><a href="#runs">Runs</a></li>
</ul></nav>
</header>
<main>
{%- for section in sections %}
<section id="{{ section.stem }}">
<h2>{{ section.number }}. {{ section.title }}{% if section.method %} <small>{{ section.method }}</small>{% endif %}</h2>
{%- if section.light %}
<figure>
<picture>
<source media="(prefers-color-scheme: dark)" srcset="{{ section.dark }}">
<img src="{{ section.light }}" alt="{{ section.alt }}">
</picture>
<figcaption>{{ section.caption }}{% for note in section.notes %} {{ note }}{% endfor %}</figcaption>
</figure>
{%- else %}
<p>Not drawn, because no run logged its metrics.</p>
{%- endif %}
{%- for table in section.tables %}
{{ numbers(table) }}
{%- endfor %}
{%- if section.missing %}
<div class="missing">
{%- for names, metrics, fix in section.missing %}
<p>Not logged by {{ names }}: {% for metric in metrics %}
 <code>{{ metric }}</code>{{ ", " if not loop.last }}{% endfor %}.
 To log {{ "it" if metrics | length == 1 else "them" }}: {{ fix }}</p>
{%- endfor %}
</div>
{%- endif %}
</section>
{%- endfor %}
<section id="runs">
<h2>Runs</h2>
{{ numbers(runs) }}
{%- if warnings %}
<div class="warnings"><p>What could not be used:</p><ul>
{%- for run, warning in warnings %}
<li>{{ run }}: {{ warning }}</li>
{%- endfor %}
</ul></div>
{%- endif %}
<details><summary>Files read</summary>
{{ numbers(files) }}
</details>
</section>
</main>
<footer><p>Mean of last 10 %: the mean over the last tenth of training steps. A dash means: not logged there. You find
the figures beside this page as PNG and SVG.</p></footer>
</body>
</html>
"""
