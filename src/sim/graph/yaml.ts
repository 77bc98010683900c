/** How far is looked for where a file breaks; past either, a line before it is told. */
const LOOK_AHEAD_LINES = 20
const MAX_ROUNDS = 10

/** Bun says what a file breaks on, not where: that is behind the longest beginning that is YAML by itself. */
export function parseYaml(yaml: string): { value: unknown } | { problem: string } {
  const failure = failureOf(yaml)
  if ('value' in failure) return failure
  const lines = yaml.split('\n')
  const isGood = (count: number) => 'value' in failureOf(lines.slice(0, count).join('\n'))
  let good = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let bad = lines.length
    while (bad - good > 1) {
      const middle = (good + bad) >> 1
      if (isGood(middle)) good = middle
      else bad = middle
    }
    // A beginning that ends between two braces is no YAML either, but a longer one is.
    const longer = Array.from({ length: LOOK_AHEAD_LINES }, (_, at) => bad + 1 + at).find(
      (count) => count < lines.length && isGood(count),
    )
    if (longer === undefined) break
    good = longer
  }
  return { problem: `line ${good + 1}: from here on the file is not YAML: ${failure.why}` }
}

function failureOf(yaml: string): { value: unknown } | { why: string } {
  try {
    return { value: Bun.YAML.parse(yaml) }
  } catch (error) {
    if (error instanceof RangeError) return { why: 'nested too deep' }
    return { why: (error instanceof Error ? error.message : String(error)).replace('YAML Parse error: ', '') }
  }
}
