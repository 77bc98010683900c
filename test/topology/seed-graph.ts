import type { TopologyReport } from '../../src/topology/topology.ts'

/** The eight services and seven calls of the seed, in its order. */
export const SEED_GRAPH = {
  services: ['UI', 'D', 'P', 'H', 'V', 'T', 'TM', 'DS'].map((id) => ({ id })),
  calls: [
    { from: 'UI', to: 'D' },
    { from: 'D', to: 'P' },
    { from: 'P', to: 'V' },
    { from: 'P', to: 'H' },
    { from: 'V', to: 'T' },
    { from: 'V', to: 'DS' },
    { from: 'V', to: 'TM' },
  ],
} satisfies TopologyReport

/** Names that mean something to Mermaid, to HTML or to a JavaScript object. */
export const NASTY_NAMES = [
  '"]; click UI call alert(1)',
  '<script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked=1">',
  '`**bold**`',
  '%%{init: {"securityLevel": "loose"}}%%',
  'direction TB',
  'end',
  'v',
  'click',
  'subgraph x',
  'style:#34;',
  'classDef x fill:#f00;',
  '#quot;&lt;b&gt;&#60;',
  '\uFB02\u00B0\u00B060\u00B6\u00DFimg src=x onerror=window.hacked=1\uFB02\u00B0\u00B062\u00B6\u00DF',
  'javascript:window.hacked=1',
  '__proto__',
  'constructor',
  'A --> B',
  '$$x^2$$',
  '1. one',
  'a|b{c}(d)[e]',
  'fa:fa-car',
  '日本 🚀',
]
