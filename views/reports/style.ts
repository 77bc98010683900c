import { createHash } from 'node:crypto'

/** The report's own style, so that the page is complete by itself. Colors as in the console; light on paper. */
export const REPORT_CSS = `
:root{color-scheme:light dark;--bg:light-dark(#fff,#0b0f12);--text:light-dark(#142226,#d7e6e8);--soft:light-dark(#4a6067,#93a9b0);--line:light-dark(#cbd8da,#2a3940);--good:light-dark(#00735c,#00ffcc);--bad:light-dark(#c2183a,#ff5c7a);--none:light-dark(#c3cfd2,#37474e)}
*{box-sizing:border-box}
html{font:16px/1.5 system-ui,-apple-system,"Segoe UI","Noto Sans",sans-serif;background:var(--bg);color:var(--text)}
body{max-width:46rem;margin:0 auto;padding:2rem 1.25rem}
h1{font-size:1.75rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .25rem}
p,ul{margin:.5rem 0}
ul{padding-left:1.25rem}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.mono,code,pre{font-family:ui-monospace,"SFMono-Regular","Cascadia Mono","DejaVu Sans Mono",monospace;font-size:.85em;overflow-wrap:anywhere}
.lead{font-size:1.1rem}
.big{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1.25rem 0;padding:0}
.big div{border:1px solid var(--line);border-radius:.5rem;padding:.75rem}
.big dt{color:var(--soft);font-size:.875rem}
.big dd{margin:0;font-size:1.5rem;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;font-weight:400}
thead th{color:var(--soft);font-size:.875rem}
.number{text-align:right;padding-right:0;padding-left:.75rem}
td.number{white-space:nowrap}
.wide{min-width:38rem}
.wide .number{padding-right:.75rem}
.name{min-width:12rem;overflow-wrap:anywhere}
.uptime{display:block;width:100%;height:2.25rem;margin:.75rem 0 .25rem}
.answered{fill:var(--good)}
.failed{fill:var(--bad)}
.unknown{fill:var(--none)}
.ends{display:flex;justify-content:space-between;gap:1rem;margin:0}
pre{white-space:pre-wrap;margin:.25rem 0 .75rem}
summary{cursor:pointer}
a{color:inherit}
@page{size:A4;margin:16mm}
@media print{:root{color-scheme:light;--bg:#fff;--text:#142226;--soft:#4a6067;--line:#cbd8da;--good:#00735c;--bad:#c2183a;--none:#c3cfd2}
html{font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{max-width:none;padding:0}
h2,h3{break-after:avoid}
tr,.big,.uptime,li{break-inside:avoid}
section:has(>details:not([open])){display:none}}
`

/** Nothing but the page's own style. */
export const REPORT_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(REPORT_CSS).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
