/** How each figure of a report is calculated, by name, from its inputs. `docs/measures.md` explains the terms. */
export const FORMULAS = {
  meanBody: 'plainBytes / polls',
  meanGzip: 'gzipBytes / polls',
  meanHead: '(headBytes - failedHeadBytes) / polls',
  meanEvent: 'wireBytes / events',
  meanPatch: 'patchBytes / changed',
  received: 'wireBytes + headBytes',
  notModified: 'notModified / polls',
  changeRate: 'changed / compared',
  frequency:
    'The maximum likelihood estimate of Cho and Garcia-Molina, from `comparisons`, with its 95% interval: ' +
    'docs/measures.md, "Change"',
  rank: '100 × ln(perMs × 86,400,000) / ln(86,400), at least 0, at most 100, to one decimal',
  rankTime: '1 - changed / compared',
  rankSize: '1 - min(1, patchBytes / plainBytes)',
  rankChange: 'rank / 100',
  checks: 'answered / (answered + unanswered)',
  time: 'upMs / (upMs + downMs)',
  clientSaved: '1 - streamedBytes / polledBytes, both from the same sums: docs/measures.md, "Savings"',
  serverSaved: '1 - (wireBytes + headBytes) / (subscribers × pollingBytes)',
  networkSaved: '1 - streamed / polled, with requests, packets and TLS: docs/measures.md, "On the network"',
  cpuSaved: '1 - streamingCpuMs / pollingCpuMs, of a server: docs/measures.md, "CPU"',
} as const
export type FormulaName = keyof typeof FORMULAS
